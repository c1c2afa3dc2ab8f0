//! The laws of the port on real servers: one and an ensemble of three, open and with a digest.

mod common;

use clockwright_testkit::zookeeper::{shared_ensemble, shared_server};
use common::Real;

mod one_server {
    clockwright_testkit::registry_suite!(super::Real::on(super::shared_server().address(), None, false));
}

mod one_server_with_digest {
    clockwright_testkit::registry_suite!(super::Real::on(
        super::shared_server().address(),
        Some("tester:secret"),
        false
    ));
}

mod three_servers {
    clockwright_testkit::registry_suite!(super::Real::on(super::shared_ensemble().addresses(), None, false));
}

mod three_servers_with_digest {
    clockwright_testkit::registry_suite!(super::Real::on(
        super::shared_ensemble().addresses(),
        Some("tester:secret"),
        false
    ));
}

/// As it is on ZooKeeper 3.4 and 3.5: without multi-reads and recursive watches.
mod one_server_by_basic_requests {
    clockwright_testkit::registry_suite!(super::Real::on(super::shared_server().address(), None, true));
}

mod three_servers_by_basic_requests {
    clockwright_testkit::registry_suite!(super::Real::on(super::shared_ensemble().addresses(), None, true));
}
