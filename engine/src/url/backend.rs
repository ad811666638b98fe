/// Which database a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// `mysql`, `mariadb`
    Mysql,
    /// `postgresql`, `postgres`
    Postgresql,
    /// `sqlite`
    Sqlite,
}

impl Backend {
    /// The name that SQLAlchemy has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Postgresql => "postgresql",
            Self::Sqlite => "sqlite",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "mysql" | "mariadb" => Some(Self::Mysql),
            "postgresql" | "postgres" => Some(Self::Postgresql),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }
}
