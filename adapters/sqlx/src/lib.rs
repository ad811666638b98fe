//! SQLAlchemy's Engine, Connection and Session for SQLx.
