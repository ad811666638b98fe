//! What pools and builders say of themselves is what r2d2's say.

use everpool_r2d2::{Builder, Pool};

use crate::scripted::{Listener, Manager, listened_to};

#[test]
fn builders_and_pools_are_shown_as_by_r2d2() {
    let manager = Manager::default();
    let ours = format!("{:#?}", Builder::<Manager>::new());
    assert_eq!(ours, format!("{:#?}", r2d2::Pool::<Manager>::builder()));
    let ours = Pool::builder().max_size(1).build(manager.clone()).unwrap();
    let r2d2s = r2d2::Pool::builder()
        .max_size(1)
        .build(Manager::default())
        .unwrap();
    let [ours, r2d2s] = [format!("{ours:#?}"), format!("{r2d2s:#?}")];
    let until_the_manager = |text: &str| text.split("manager").next().map(str::to_owned);
    assert_eq!(until_the_manager(&ours), until_the_manager(&r2d2s));
    let shown = format!("{:?}", listened_to(&manager));
    let listener = format!("{:?}", Listener(manager.0.diary.clone()));
    assert!(
        shown.contains(&format!("event_handler: {listener}")),
        "{shown}"
    );
}

#[test]
fn a_connection_is_shown_as_itself() {
    let pool = Pool::builder()
        .max_size(1)
        .build(Manager::default())
        .unwrap();
    let connection = pool.get().unwrap();
    assert_eq!(format!("{connection:?}"), format!("{:?}", *connection));
}
