//! A proxy with the configuration that is shipped, on other ports and with a certificate that the
//! test makes.

use std::fs::{self, File};
use std::net::TcpListener;
use std::panic::catch_unwind;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::support::process::Process;
use crate::support::server::read;
use crate::support::{Server, TempDir, package, wait_until};

/// The name that the examples give to the site.
pub(crate) const SITE: &str = "site.example";

/// How to run a proxy.
pub(crate) struct Kind {
    /// The program, which is also the name of the Debian package.
    pub(crate) program: &'static str,
    /// The example in `dist/`.
    example: &'static str,
    /// What the example says about ports and certificates, and what stands there in a test:
    /// `HTTP` and `HTTPS` are ports, `FOLDER` is a folder for this proxy.
    replaced: &'static [(&'static str, &'static str)],
    /// What a test needs around the example, which is at `EXAMPLE`.
    around: &'static str,
    /// The arguments; the configuration is `conf` in the folder.
    arguments: &'static [&'static str],
    /// Whether it asks for the health of servers, and stops asking those that drain. If not, its
    /// configuration says which server is down.
    checks_health: bool,
}

pub(crate) const KINDS: [Kind; 3] = [
    Kind {
        program: "nginx",
        example: "nginx.conf",
        replaced: &[
            ("listen 80;", "listen 127.0.0.3:HTTP;"),
            ("listen 443 ", "listen 127.0.0.3:HTTPS "),
            ("/etc/ssl/", "FOLDER/"),
        ],
        around: "daemon off; pid FOLDER/pid; error_log stderr;\nevents {}\nhttp { access_log off;\n\
            client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy;\n\
            fastcgi_temp_path FOLDER/fastcgi; uwsgi_temp_path FOLDER/uwsgi;\n\
            scgi_temp_path FOLDER/scgi;\nEXAMPLE}\n",
        arguments: &["-e", "stderr", "-p", "FOLDER", "-c", "conf"],
        checks_health: false,
    },
    Kind {
        program: "caddy",
        example: "Caddyfile",
        replaced: &[],
        around: "{\nhttp_port HTTP\nhttps_port HTTPS\ndefault_bind 127.0.0.3\nadmin off\n\
            local_certs\nskip_install_trust\nstorage file_system FOLDER\n}\nEXAMPLE",
        arguments: &["run", "--adapter", "caddyfile", "--config", "FOLDER/conf"],
        checks_health: true,
    },
    Kind {
        program: "haproxy",
        example: "haproxy.cfg",
        replaced: &[
            ("bind :80\n", "bind 127.0.0.3:HTTP\n"),
            ("bind :443 ", "bind 127.0.0.3:HTTPS "),
            ("/etc/ssl/", "FOLDER/"),
        ],
        around: "EXAMPLE",
        arguments: &["-db", "-f", "FOLDER/conf"],
        checks_health: true,
    },
];

/// A proxy that runs.
pub(crate) struct Proxy {
    child: Child,
    folder: TempDir,
    https: u16,
    checks_health: bool,
}

impl Proxy {
    /// Starts a proxy in front of two servers at the same ports of two addresses, and waits until
    /// it passes on their answers.
    pub(crate) fn start(kind: &Kind, [one, other]: [&Server; 2]) -> Proxy {
        let folder = TempDir::new();
        make_certificate(&folder);
        let [http, https] = [free_port(), free_port()];
        let example = fs::read_to_string(package().join("dist").join(kind.example));
        let mut example = example.expect("an example");
        let mut replace = |from: &str, to: &str| {
            assert!(example.contains(from), "{} has no {from:?}", kind.example);
            example = example.replace(from, to);
        };
        replace("127.0.0.1:8000", &format!("127.0.0.1:{}", one.port));
        replace("127.0.0.2:8000", &format!("127.0.0.2:{}", other.port));
        if kind.checks_health {
            replace("9100", &one.admin_port().to_string());
        }
        kind.replaced.iter().for_each(|(from, to)| replace(from, to));
        let path = folder.path().display().to_string();
        let fill = |text: &str| {
            let text = text.replace("HTTPS", &https.to_string()).replace("FOLDER", &path);
            text.replace("HTTP ", &format!("{http} "))
                .replace("HTTP\n", &format!("{http}\n"))
                .replace("HTTP;", &format!("{http};"))
        };
        folder.write("conf", fill(&kind.around.replace("EXAMPLE", &example)));
        let said = File::create(folder.join("said")).expect("a file for output");
        let mut command = Command::new(kind.program);
        command.args(kind.arguments.iter().map(|word| fill(word)));
        // Caddy saves its configuration beneath these folders; the second one would be preferred.
        command.env("HOME", &path).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        // On Debian, the PATH of users other than root lacks nginx and haproxy.
        command.env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin");
        command.stdin(Stdio::null()).stdout(said.try_clone().expect("a file")).stderr(said);
        let child = command.spawn().unwrap_or_else(|e| panic!("{}: {e}", kind.program));
        let mut proxy = Proxy { child, folder, https, checks_health: kind.checks_health };
        wait_until("a proxy that passes on answers", || {
            let ended = proxy.child.try_wait().expect("a child of ours");
            assert!(ended.is_none(), "{} has ended: {}", kind.program, proxy.said());
            proxy.ask(&[], "/hello.txt").starts_with("HTTP/2 200 ")
        });
        proxy
    }

    /// Tells a proxy that does not check health whether a server is down, as its example says.
    pub(crate) fn set_down(&self, server: &Server, is_down: bool) {
        if self.checks_health {
            return;
        }
        let [up, down] = ["", " down"].map(|word| format!("127.0.0.1:{}{word};", server.port));
        let text = read(&self.folder.join("conf"));
        let changed = if is_down { text.replace(&up, &down) } else { text.replace(&down, &up) };
        assert_ne!(text, changed);
        self.folder.write("conf", changed);
        Process(self.child.id()).signal(Signal::HUP);
    }

    /// Options of a client of the load. A proxy that reads its configuration anew closes idle
    /// connections; browsers then send a request again, but curl does not.
    pub(crate) fn load_options(&self) -> &'static [&'static str] {
        if self.checks_health { &[] } else { &["--http1.1", "-H", "Connection: close"] }
    }

    /// What it has printed.
    pub(crate) fn said(&self) -> String {
        read(&self.folder.join("said"))
    }

    /// curl(1), which asks the proxy for these targets with these options.
    pub(crate) fn curl(&self, options: &[&str], targets: &[&str]) -> Command {
        let mut curl = Command::new("curl");
        let resolved = format!("{SITE}:{}:127.0.0.3", self.https);
        curl.args(["-sk", "--noproxy", "*", "--resolve", &resolved]).args(options);
        curl.args(targets.iter().map(|target| format!("https://{SITE}:{}{target}", self.https)));
        curl.stdin(Stdio::null());
        curl
    }

    /// The answer to a request, with its head.
    pub(crate) fn ask(&self, options: &[&str], target: &str) -> String {
        let output = self.curl(&[&["-i"], options].concat(), &[target]).output().expect("curl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The origin of the site's pages, as browsers send it.
    pub(crate) fn origin(&self) -> String {
        format!("Origin: https://{SITE}:{}", self.https)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let process = Process(self.child.id());
        let tree = process.tree();
        process.signal(Signal::TERM);
        let waiting = || wait_until("the end of a proxy", || !process.lives());
        if catch_unwind(waiting).is_err() {
            tree.into_iter().for_each(Process::kill);
        }
        let _ = self.child.wait();
    }
}

/// A port at which nothing listened a moment ago.
fn free_port() -> u16 {
    let socket = TcpListener::bind(("127.0.0.3", 0)).expect("a port");
    socket.local_addr().expect("its address").port()
}

/// Makes a certificate and its key: each in a file, and both in one.
fn make_certificate(folder: &TempDir) {
    let [certificate, key] = ["pem", "key"].map(|kind| folder.join(&format!("{SITE}.{kind}")));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt"]);
    openssl.args(["ec_paramgen_curve:prime256v1", "-subj", &format!("/CN={SITE}"), "-out"]);
    openssl.arg(&certificate).arg("-keyout").arg(&key).stderr(Stdio::null());
    assert!(openssl.status().expect("openssl").success());
    let both = [fs::read(&certificate), fs::read(&key)].map(|text| text.expect("a file"));
    fs::write(certificate, both.concat()).expect("a file");
}
