use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
};

/// Anything a user keeps beside a connection or a slot: one value of each type.
///
/// SQLAlchemy's `info` lives as long as the connection, its `record_info` as long as the slot.
///
/// ```
/// use everpool_core::Info;
///
/// #[derive(Debug, PartialEq)]
/// struct Tenant(u32);
///
/// let mut info = Info::default();
/// assert_eq!(info.insert(Tenant(7)), None);
/// assert_eq!(info.get(), Some(&Tenant(7)));
/// assert_eq!(info.remove(), Some(Tenant(7)));
/// assert!(info.is_empty());
/// ```
#[derive(Default)]
pub struct Info(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Info {
    /// Keeps a value; gives back the one of the same type that it replaces.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        let replaced = self.0.insert(TypeId::of::<T>(), Box::new(value));
        replaced.and_then(|value| value.downcast().ok().map(|value| *value))
    }

    /// The value of this type.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// The value of this type, to be changed.
    pub fn get_mut<T: 'static>(&mut self) -> Option<&mut T> {
        self.0.get_mut(&TypeId::of::<T>())?.downcast_mut()
    }

    /// Takes the value of this type out.
    pub fn remove<T: 'static>(&mut self) -> Option<T> {
        let removed = self.0.remove(&TypeId::of::<T>())?;
        removed.downcast().ok().map(|value| *value)
    }

    /// Drops all values.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info")
            .field("values", &self.0.len())
            .finish_non_exhaustive()
    }
}
