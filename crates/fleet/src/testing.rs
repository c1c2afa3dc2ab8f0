//! What the tests of this crate begin with.

use crate::config::v2;
use crate::keys::{Key, Keys};
use clockwright_model::JobSettings;
use clockwright_registry::{Op, Registry};

/// A namespace with one job in the layout of 2.x that two servers know.
pub(crate) async fn register(registry: &dyn Registry, keys: &Keys, settings: &JobSettings) {
    let nodes = [
        (Key::Job, String::new()),
        (Key::Config, v2::write(settings)),
        (Key::Instances, String::new()),
        (Key::Servers, String::new()),
        (Key::Server("10.0.0.1".into()), String::new()),
        (Key::Server("10.0.0.2".into()), String::new()),
    ];
    let nodes = nodes.map(|(key, data)| Op::create(keys.of(&settings.name, &key), data));
    let ops = std::iter::once(Op::create(keys.root().clone(), "")).chain(nodes).collect();
    registry.commit(ops).await.expect("the registry is empty");
}
