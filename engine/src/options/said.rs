use serde::{Deserialize, Serialize};

use super::{
    args::{ConnectArgs, ExecutionOptions},
    seconds::Seconds,
    words::{Class, Echo, Flag, Name, Reset, Whole},
};

/// What was said of each option, which need not be true of any engine. `None`: nothing.
///
/// The names of the fields are those of the options. Their order is that of a written configuration:
/// the tables are last. What was not said is written as null, or left out of TOML, and either reads as
/// nothing said.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Said {
    pub(super) poolclass: Option<Class>,
    pub(super) pool_size: Option<Whole>,
    pub(super) max_overflow: Option<Whole>,
    pub(super) pool_max_total: Option<Whole>,
    pub(super) pool_timeout: Option<Seconds>,
    pub(super) pool_recycle: Option<Seconds>,
    pub(super) pool_recycle_jitter: Option<Whole>,
    pub(super) pool_pre_ping: Option<Flag>,
    pub(super) pool_ping_after_idle: Option<Seconds>,
    pub(super) pool_use_lifo: Option<Flag>,
    pub(super) pool_max_idle_time: Option<Seconds>,
    pub(super) pool_min_idle: Option<Whole>,
    pub(super) pool_keepalive: Option<Seconds>,
    pub(super) pool_reset_on_return: Option<Reset>,
    pub(super) pool_reset_always: Option<Flag>,
    pub(super) pool_outage_grace: Option<Seconds>,
    pub(super) pool_connect_timeout: Option<Seconds>,
    pub(super) pool_ping_timeout: Option<Seconds>,
    pub(super) pool_reset_timeout: Option<Seconds>,
    pub(super) pool_close_timeout: Option<Seconds>,
    pub(super) pool_max_waiting: Option<Whole>,
    pub(super) pool_leak_after: Option<Seconds>,
    pub(super) pool_measure_use: Option<Flag>,
    pub(super) pool_logging_name: Option<Name>,
    pub(super) logging_name: Option<Name>,
    pub(super) echo_pool: Option<Echo>,
    pub(super) echo: Option<Echo>,
    pub(super) hide_parameters: Option<Flag>,
    pub(super) isolation_level: Option<Name>,
    pub(super) skip_autocommit_rollback: Option<Flag>,
    pub(super) read_only_is_disconnect: Option<Flag>,
    pub(super) query_cache_size: Option<Whole>,
    pub(super) sqlite_readers: Option<Whole>,
    pub(super) execution_options: Option<ExecutionOptions>,
    pub(super) connect_args: Option<ConnectArgs>,
}
