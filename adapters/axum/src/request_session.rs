use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::{
    EndsWithRequest, SessionRejection,
    slot::{Lent, Slot},
};

/// The session of a request, for its handler: an extractor, which derefs to the session. The layer ends it, so
/// nobody has to commit.
///
/// The next one who wants it can have it when this is dropped: a middleware drops it before it runs what is
/// inside of it.
pub struct RequestSession<S: EndsWithRequest>(Lent<S>);

impl<S: EndsWithRequest, A: Sync> FromRequestParts<A> for RequestSession<S> {
    type Rejection = SessionRejection;

    async fn from_request_parts(request: &mut Parts, _: &A) -> Result<Self, SessionRejection> {
        Slot::of(request)?.borrow(request).map(Self)
    }
}

impl<S: EndsWithRequest> Deref for RequestSession<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S: EndsWithRequest> DerefMut for RequestSession<S> {
    fn deref_mut(&mut self) -> &mut S {
        &mut self.0
    }
}

impl<S: EndsWithRequest + fmt::Debug> fmt::Debug for RequestSession<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestSession").field(&**self).finish()
    }
}
