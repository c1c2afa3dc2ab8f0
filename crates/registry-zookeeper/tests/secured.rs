//! Servers that speak TLS, ask for certificates, and know their users by SASL.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use clockwright_registry::{Access, Error, Op, Registry, Session};
use clockwright_registry_zookeeper::{Options, SignIn, Tls, ZooKeeper};
use clockwright_testkit::zookeeper::{Config, ZkServer, shared_server};
use common::{Real, SESSION_TIMEOUT, fresh_root, wait_for};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Certificates of one authority, in a folder.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn write(&self, path: &Path) -> PathBuf {
        std::fs::write(path, self.0.pem()).unwrap();
        path.to_owned()
    }

    /// A certificate with its key in one file, as ZooKeeper reads them too.
    fn sign(&self, name: &str, path: &Path) -> PathBuf {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        std::fs::write(path, key.serialize_pem() + &cert.pem()).unwrap();
        path.to_owned()
    }
}

/// A server that lets in by TLS whom it knows by certificate, and knows a user by SASL.
struct Secured {
    server: ZkServer,
    ca: PathBuf,
    client: PathBuf,
    folder: TempDir,
}

impl Secured {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let authority = Authority::new("ours");
        let ca = authority.write(&at("ca.pem"));
        let client = authority.sign("client", &at("client.pem"));
        let own = authority.sign("127.0.0.1", &at("server.pem"));
        std::fs::write(
            at("jaas.conf"),
            "Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_ann=\"s3:cr\u{e9}t\"; };",
        )
        .unwrap();
        let tls = vec![
            format!("ssl.keyStore.location={}", own.display()),
            format!("ssl.trustStore.location={}", ca.display()),
            "ssl.clientAuth=need".to_owned(),
            "authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider".to_owned(),
        ];
        let java = vec![format!("-Djava.security.auth.login.config={}", at("jaas.conf").display())];
        let server = ZkServer::start_with(Config { tls, java, ..Config::default() }).unwrap();
        Self { server, ca, client, folder }
    }

    fn shared() -> &'static Self {
        static SECURED: OnceLock<Secured> = OnceLock::new();
        SECURED.get_or_init(Self::start)
    }

    fn options(&self) -> Options {
        let tls = Tls { ca: Some(self.ca.clone()), cert: Some(self.client.clone()), key: None };
        Options {
            session_timeout: SESSION_TIMEOUT,
            tls: Some(tls),
            ..Options::new(self.server.secure_address())
        }
    }

    /// Over TLS, as a user that the server knows.
    fn as_user(&self) -> Options {
        Options { user: Some("ann:s3:crét".to_owned()), sign_in: SignIn::Sasl, ..self.options() }
    }
}

mod by_tls_and_sasl {
    use super::*;
    clockwright_testkit::registry_suite!(Real::with(Secured::shared().as_user()));
}

async fn refused(options: Options) -> String {
    let said = format!("{options:?}");
    match ZooKeeper::connect(Options { connect_timeout: 5_000, ..options }).await {
        Err(Error::Denied(why)) => why,
        Err(error) => panic!("{said}: {error:?}"),
        Ok(_) => panic!("{said} was let in"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_of_sasl_makes_is_his_alone() {
    let secured = Secured::shared();
    let owner = ZooKeeper::connect(secured.as_user()).await.unwrap();
    let root = fresh_root();
    owner.commit(vec![Op::create(root.clone(), "mine")]).await.unwrap();
    let access = owner.access_list(&root).await.unwrap();
    assert!(access.contains(&("sasl:ann".to_owned(), 31)), "{access:?}");
    assert!(!access.iter().any(|(who, _)| who.starts_with("world")), "{access:?}");
    assert_eq!(owner.access(std::slice::from_ref(&root)).await.unwrap(), [Access::Ours]);
    // The plain port is another way to the same server.
    let stranger = ZooKeeper::connect(Options::new(secured.server.address())).await.unwrap();
    let error = stranger.commit(vec![Op::set(root.clone(), "")]).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_believed_is_refused_at_once_with_the_reason() {
    let secured = Secured::shared();
    let at = |name: &str| secured.folder.path().join(name);
    let foreign = Authority::new("another").write(&at("foreign.pem"));
    let tls =
        |ca: &PathBuf, cert: Option<&PathBuf>| Tls { ca: Some(ca.clone()), cert: cert.cloned(), key: None };
    let with = |tls| Options { tls: Some(tls), ..secured.options() };

    let unknown = refused(with(tls(&foreign, Some(&secured.client)))).await;
    assert!(
        unknown.contains("UnknownIssuer") && unknown.contains(&secured.server.secure_address()),
        "{unknown}"
    );
    let port = secured.server.secure_address().rsplit_once(':').unwrap().1.to_owned();
    let renamed = Options { servers: format!("localhost:{port}"), ..secured.options() };
    assert!(refused(renamed).await.contains("not valid for name"));
    let nobody = refused(with(tls(&secured.ca, None))).await;
    assert!(nobody.contains("alert"), "{nobody}");
    let missing = refused(with(tls(&at("nowhere.pem"), None))).await;
    assert!(missing.contains("nowhere.pem"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_speaks_otherwise_is_told_as_what_it_may_be() {
    let secured = Secured::shared();
    for (options, said) in [
        (Options { servers: secured.server.address(), ..secured.options() }, "does not speak TLS"),
        (Options::new(secured.server.secure_address()), "`zookeepers://`"),
    ] {
        let error = ZooKeeper::connect(Options { connect_timeout: 1_000, ..options }).await.err().unwrap();
        assert!(matches!(&error, Error::Unavailable(why) if why.contains(said)), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_the_server_does_not_know_is_refused_with_the_reason() {
    let secured = Secured::shared();
    for user in ["ann:wrong", "bob:wrong"] {
        let why = refused(Options { user: Some(user.to_owned()), ..secured.as_user() }).await;
        assert!(why.contains("does not take user and password"), "{user}: {why}");
    }
    let elsewhere = Options::new(shared_server().address());
    let why = refused(Options { user: Some("ann:x".to_owned()), sign_in: SignIn::Sasl, ..elsewhere }).await;
    assert!(why.contains("does not speak SASL"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_were_renewed_count_from_the_next_connection_and_the_session_lives() {
    let secured = Secured::start();
    let one = ZooKeeper::connect(Options { session_timeout: 50_000, ..secured.as_user() }).await.unwrap();
    let session = one.terms().session;
    secured.server.kill();
    wait_for(&*one, Session::Suspended).await;
    let renewed = Authority::new("renewed");
    renewed.write(&secured.ca);
    renewed.sign("127.0.0.1", &secured.folder.path().join("server.pem"));
    renewed.sign("client", &secured.client);
    secured.server.restart().unwrap();
    wait_for(&*one, Session::Connected).await;
    assert_eq!(one.terms().session, session);
    one.commit(vec![Op::create(fresh_root(), "")]).await.unwrap();
}
