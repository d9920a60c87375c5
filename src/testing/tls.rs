//! A server with a certificate that is wrong, by the program openssl.

use super::{witness, write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A TLS server whose certificate nobody trusts, valid between two days.
pub(crate) struct Tls {
    server: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Tls {
    #[expect(clippy::disallowed_methods, reason = "not one of the program's own children")]
    /// Starts one; the days are those of `openssl ca`: `20200101000000Z`.
    pub(crate) fn start(from: &str, to: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let openssl = |args: &[&str]| {
            let said = witness("openssl", args, &[]);
            assert!(!said.contains("rror:"), "{said}");
        };
        let (key, request, certificate) = (path("key.pem"), path("request.pem"), path("certificate.pem"));
        let subject = ["-subj", "/CN=registry.test"];
        openssl(
            &[
                &[
                    "req", "-newkey", "rsa:2048", "-nodes", "-keyout", &key, "-out", &request,
                ][..],
                &subject[..],
            ]
            .concat(),
        );
        let settings = format!(
            "[ca]\ndefault_ca = test\n[test]\ndatabase = {}\nserial = {}\nnew_certs_dir = {}\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n[names]\nsubjectAltName = IP:0.0.0.0\n",
            path("index"),
            path("serial"),
            folder.path().display()
        );
        write(&folder.path().join("ca.cnf"), settings, false);
        write(&folder.path().join("index"), "", false);
        write(&folder.path().join("serial"), "01\n", false);
        let settings = path("ca.cnf");
        openssl(&[
            "ca",
            "-batch",
            "-selfsign",
            "-config",
            &settings,
            "-extensions",
            "names",
            "-keyfile",
            &key,
            "-in",
            &request,
            "-out",
            &certificate,
            "-startdate",
            from,
            "-enddate",
            to,
        ]);
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Command::new("openssl")
            .args(["s_server", "-quiet", "-www", "-accept", &port.to_string()])
            .args(["-key", &key, "-cert", &certificate])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(50));
        }
        Self {
            server,
            port,
            _folder: folder,
        }
    }

    /// An address that programs do not take for this machine's own: `0.0.0.0:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("0.0.0.0:{}", self.port)
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
