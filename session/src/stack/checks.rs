//! Whether what the program asks for may be done now.

use super::{Method, Moment, Refused, Stack, StateError};

impl Stack {
    pub(super) fn check_open(&self) -> Result<(), Refused> {
        match self.is_closed {
            true => Err(Refused::State(StateError::PermanentlyClosed)),
            false => Ok(()),
        }
    }

    pub(super) fn check_usable(&self) -> Result<(), Refused> {
        self.check_scope()?;
        if self.is_prepared() {
            return Err(Refused::State(StateError::Prepared));
        }
        match self.inactive {
            Some((cause, _)) => Err(Refused::State(StateError::Inactive(cause))),
            None => Ok(()),
        }
    }

    pub(super) fn check_scope(&self) -> Result<(), Refused> {
        match self.scope {
            Some(scope) if !self.is_open(scope) => Err(Refused::State(StateError::ScopeIsOver)),
            _ => Ok(()),
        }
    }

    pub(super) fn check_autobegin(&self) -> Result<(), Refused> {
        match self.settings.autobegin {
            true => Ok(()),
            false => Err(Refused::State(StateError::AutobeginDisabled)),
        }
    }

    /// A listener of `after_begin` has its level, though others wait to be begun inside of it.
    pub(super) fn check_order(&self) -> Result<(), Refused> {
        match self.tellings.last() {
            Some(telling)
                if telling.moment == Moment::AfterBegin && telling.floor < self.levels.len() =>
            {
                Err(illegal(Method::BeginNested, telling.method))
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn illegal(method: Method, in_progress: Method) -> Refused {
    Refused::State(StateError::IllegalStateChange {
        method: method.name(),
        in_progress: in_progress.name(),
    })
}
