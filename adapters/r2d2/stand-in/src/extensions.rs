use everpool_core::Info;

/// Anything a user keeps beside a connection: one value of each type. It is gone when the connection
/// is.
#[derive(Debug, Default)]
pub struct Extensions(Info);

impl Extensions {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a value; gives back the one of the same type that it replaces.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        self.0.insert(value)
    }

    /// The value of this type.
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.get()
    }

    /// The value of this type, to be changed.
    pub fn get_mut<T: Send + Sync + 'static>(&mut self) -> Option<&mut T> {
        self.0.get_mut()
    }

    /// Takes the value of this type out.
    pub fn remove<T: Send + Sync + 'static>(&mut self) -> Option<T> {
        self.0.remove()
    }

    /// Drops all values.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
