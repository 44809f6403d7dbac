//! What happens when parts of Posthaste go away, and what it costs the API server. These tests change the installation
//! itself, so they run one after the other: `--test-threads=1`.

#[path = "disruption/budget.rs"]
mod budget;
#[path = "disruption/kill.rs"]
mod kill;
#[path = "disruption/namespaced.rs"]
mod namespaced;
#[path = "disruption/operator.rs"]
mod operator;
