//! A registry in a container, as people's own test suites start one.

use crate::parts::{classic, done, script};
use std::sync::OnceLock;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage};
use tokio::runtime::Runtime;

const PORT: u16 = 5000;

/// It runs as long as this value lives.
pub(crate) struct ContainerRegistry {
    pub(crate) address: String,
    container: Option<ContainerAsync<GenericImage>>,
    runtime: Runtime,
}

impl ContainerRegistry {
    pub(crate) fn start() -> ContainerRegistry {
        static IMAGE: OnceLock<()> = OnceLock::new();
        IMAGE.get_or_init(|| {
            done(script("registry-image.sh").args([&classic(), "mpcheck-registry:1"]));
        });
        // testcontainers finds its engine by this, which run.sh sets.
        assert_eq!(
            std::env::var("DOCKER_HOST").ok(),
            Some(classic()),
            "DOCKER_HOST is not the tests' engine: run `make test`"
        );
        let runtime = Runtime::new().unwrap();
        let image = GenericImage::new("mpcheck-registry", "1")
            .with_exposed_port(PORT.tcp())
            .with_wait_for(WaitFor::message_on_stderr("listening on"));
        let container = runtime.block_on(image.start()).unwrap();
        let port = runtime.block_on(container.get_host_port_ipv4(PORT)).unwrap();
        ContainerRegistry { address: format!("127.0.0.1:{port}"), container: Some(container), runtime }
    }
}

impl Drop for ContainerRegistry {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            let _ = self.runtime.block_on(container.rm());
        }
    }
}
