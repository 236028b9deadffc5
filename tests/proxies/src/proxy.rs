//! A proxy as a process: its file out of `examples/proxies`, with the ports and paths of a check.
//! This file knows no request.

use std::fs;
use std::io::{ErrorKind, Result};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use switchboard_tls_tests::Authority;

use crate::client::{Answer, Client, HOST, other};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Nginx,
    Caddy,
    Haproxy,
    /// nginx that passes TCP on.
    NginxStream,
    /// HAProxy that passes TCP on.
    HaproxyTcp,
}

impl Kind {
    pub const HTTP: [Kind; 3] = [Kind::Nginx, Kind::Caddy, Kind::Haproxy];

    /// The file below `examples/proxies`.
    fn file(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx.conf",
            Kind::Caddy => "Caddyfile",
            Kind::Haproxy => "haproxy.cfg",
            Kind::NginxStream => "nginx-stream.conf",
            Kind::HaproxyTcp => "haproxy-tcp.cfg",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Kind::Nginx | Kind::NginxStream => "nginx",
            Kind::Caddy => "caddy",
            Kind::Haproxy | Kind::HaproxyTcp => "haproxy",
        }
    }
}

/// What all proxies of a run share.
pub struct Rig {
    /// The package's root.
    root: PathBuf,
    /// Where each proxy gets a folder.
    out: PathBuf,
    chain: String,
    key: String,
    pub tls: Arc<ClientConfig>,
    /// The chapter, with the files that it includes.
    guide: String,
    folders: AtomicU16,
}

impl Rig {
    pub fn new(root: &Path, out: &Path) -> Result<Arc<Rig>> {
        fs::create_dir_all(out)?;
        let authority = Authority::new();
        let issued = authority.issue(&[HOST]);
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        fs::write(out.join("chain.pem"), &issued.chain)?;
        fs::write(out.join("key.pem"), &issued.key)?;
        let mut guide = fs::read_to_string(root.join("src/guide/behind_a_proxy.rs"))?;
        for file in fs::read_dir(root.join("examples/proxies"))? {
            guide += &fs::read_to_string(file?.path())?;
        }
        Ok(Arc::new(Rig {
            root: root.to_owned(),
            out: out.to_owned(),
            chain: issued.chain,
            key: issued.key,
            tls: Arc::new(tls),
            guide,
            folders: AtomicU16::new(0),
        }))
    }

    /// The file that people copy.
    pub fn config(self: &Arc<Rig>, kind: Kind) -> Config {
        let text = fs::read_to_string(self.root.join("examples/proxies").join(kind.file()));
        Config { rig: self.clone(), kind, text: text.unwrap(), before: String::new() }
    }

    /// The executable of an example.
    pub fn example(&self, name: &str) -> PathBuf {
        let target = std::env::var_os("EXAMPLES").expect("the folder of the examples");
        Path::new(&target).join(name)
    }

    /// A path below the folder of this run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// A proxy's file and its changes.
pub struct Config {
    rig: Arc<Rig>,
    kind: Kind,
    text: String,
    /// Lines in front of the file.
    before: String,
}

impl Config {
    /// Replaces some text by another. The manual has to show it.
    pub fn guided(self, from: &str, to: &str) -> Config {
        for line in to.lines().map(str::trim).filter(|line| !line.is_empty()) {
            assert!(self.rig.guide.contains(line), "the manual does not show {line:?}");
        }
        self.replaced(from, to)
    }

    /// Replaces some text by another, for the check alone.
    pub fn replaced(mut self, from: &str, to: &str) -> Config {
        let count = self.text.matches(from).count();
        assert_eq!(count, 1, "{from:?} stands {count} times in {}", self.kind.file());
        self.text = self.text.replace(from, to);
        self
    }

    /// Leaves out the line that has some text, as one forgets it.
    pub fn without(mut self, part: &str) -> Config {
        let lines: Vec<_> = self.text.lines().filter(|line| !line.contains(part)).collect();
        let missing = self.text.lines().count() - lines.len();
        assert_eq!(missing, 1, "{part:?} stands in {missing} lines of {}", self.kind.file());
        self.text = lines.join("\n") + "\n";
        self
    }

    /// Adds lines in front of the file, where the defaults of all sites stand.
    pub fn before(mut self, lines: &str) -> Config {
        self.before.push_str(lines);
        self
    }

    /// Replaces the server's address, unless the check has done that.
    fn upstream(self, from: &str, to: &str) -> Config {
        if self.text.contains(from) { self.replaced(from, to) } else { self }
    }

    /// Starts the proxy in front of an address.
    pub fn start(self, upstream: &str) -> Result<Proxy> {
        let rig = self.rig.clone();
        let number = rig.folders.fetch_add(1, Ordering::Relaxed);
        let folder = rig.out.join(format!("{number}"));
        fs::create_dir_all(&folder)?;
        let path = |name: &str| folder.join(name).display().to_string();
        fs::write(path("chain.pem"), &rig.chain)?;
        fs::write(path("key.pem"), &rig.key)?;
        fs::write(path("both.pem"), rig.chain.clone() + &rig.key)?;
        let port = free_port();
        let (kind, program) = (self.kind, self.kind.program());
        let text = self.filled(port, upstream, &path);
        fs::write(path("config"), text)?;
        let mut command = Command::new(program);
        match program {
            "nginx" => command.args(["-e", &path("log"), "-c", &path("config")]),
            "caddy" => {
                command.env("HOME", &folder).env("XDG_DATA_HOME", &folder);
                command.env("XDG_CONFIG_HOME", &folder);
                command.args(["run", "--adapter", "caddyfile", "--config", &path("config")])
            }
            _ => command.args(["-db", "-f", &path("config")]),
        };
        let log = fs::File::create(path("output"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let tls = match kind {
            Kind::NginxStream | Kind::HaproxyTcp => None,
            _ => Some(rig.tls.clone()),
        };
        let mut proxy = Proxy { kind, child, address, tls, folder };
        proxy.wait()?;
        Ok(proxy)
    }

    /// The text with a check's own ports and paths.
    fn filled(self, port: u16, upstream: &str, path: &dyn Fn(&str) -> String) -> String {
        let before = self.before.clone();
        let here = format!("127.0.0.1:{port}");
        match self.kind {
            Kind::Nginx => {
                let site = self
                    .replaced("listen 443 ssl", &format!("listen {here} ssl"))
                    .replaced("/etc/ssl/chat.example.pem", &path("chain.pem"))
                    .replaced("/etc/ssl/chat.example.key", &path("key.pem"))
                    .upstream("server 127.0.0.1:8080;", &format!("server {upstream};"));
                let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
                let folders = folders.map(|kind| format!("{kind}_temp_path {};\n", path(kind)));
                let folders = folders.concat();
                let http = format!("access_log off;\n{folders}{before}{}", site.text);
                nginx(path, &format!("http {{\n{http}}}\n"))
            }
            Kind::NginxStream => {
                let site = self
                    .replaced("listen 443;", &format!("listen {here};"))
                    .replaced("proxy_pass 127.0.0.1:8443", &format!("proxy_pass {upstream}"));
                let module = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n";
                module.to_owned() + &nginx(path, &format!("stream {{\n{}}}\n", site.text))
            }
            Kind::Caddy => {
                let files = format!("tls {} {}", path("chain.pem"), path("key.pem"));
                let site = self
                    .replaced("chat.example {\n", &format!("chat.example {{\n\t{files}\n"))
                    .upstream("127.0.0.1:8080 {", &format!("{upstream} {{"));
                let http = free_port();
                format!(
                    "{{\n\tadmin off\n\thttps_port {port}\n\thttp_port {http}\n\
                     \tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n\
                     \tservers {{\n\t\tprotocols h1 h2\n\t}}\n{before}}}\n{}",
                    site.text
                )
            }
            Kind::Haproxy => {
                let site = self
                    .replaced("bind :443 ", &format!("bind {here} "))
                    .replaced("/etc/haproxy/chat.example.pem", &path("both.pem"))
                    .upstream("server chat 127.0.0.1:8080", &format!("server chat {upstream}"));
                before + &site.text
            }
            Kind::HaproxyTcp => {
                let site = self
                    .replaced("bind :443", &format!("bind {here}"))
                    .replaced("server chat 127.0.0.1:8443", &format!("server chat {upstream}"));
                before + &site.text
            }
        }
    }
}

/// The file around a site: one process, which logs into its own folder.
fn nginx(path: &dyn Fn(&str) -> String, sites: &str) -> String {
    // Root's workers would be another user, who cannot read the folder.
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let user = if is_root { "user root;\n" } else { "" };
    format!(
        "{user}daemon off;\nmaster_process off;\nerror_log {} info;\npid {};\n\
         events {{ worker_connections 1024; }}\n{sites}",
        path("log"),
        path("pid")
    )
}

/// A running proxy, which ends with this value.
pub struct Proxy {
    pub kind: Kind,
    child: Child,
    pub address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    folder: PathBuf,
}

impl Proxy {
    /// Waits until it listens.
    fn wait(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(15);
        loop {
            if self.listens() {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > end {
                return Err(other(format!("{:?} does not start: {}", self.kind, self.output())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The kernel's table tells it without a connection, which a server behind would see.
    fn listens(&self) -> bool {
        let SocketAddr::V4(address) = self.address else { return false };
        let wanted = format!("0100007F:{:04X} 00000000:0000 0A", address.port());
        fs::read_to_string("/proc/net/tcp").is_ok_and(|table| table.contains(&wanted))
    }

    /// What it printed and logged.
    pub fn output(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        read("output") + &read("log")
    }

    pub fn client(&self) -> Result<Client> {
        self.client_from("127.0.0.1")
    }

    pub fn client_from(&self, source: &str) -> Result<Client> {
        Client::from(source, self.address, self.tls.as_ref())
    }

    pub fn get(&self, path: &str) -> Result<Answer> {
        self.client()?.get(path, "")
    }

    /// Opens a WebSocket, as a page of the host does.
    pub fn websocket(&self, path: &str) -> Result<Client> {
        let mut client = self.client()?;
        let answer = client.handshake(path, &format!("Origin: https://{HOST}\r\n"))?;
        match answer.status {
            101 => Ok(client),
            _ => Err(other(format!("no WebSocket: {answer:?}"))),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a child of this process as an administrator does, and rudely if that takes too long.
pub fn end(child: &mut Child) {
    let _ended = kill_process(Pid::from_child(child), Signal::TERM);
    for _ in 0..100 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ended = child.kill();
    let _ended = child.wait();
}

/// A port of this machine that nothing listens on, below those that the kernel gives to clients.
pub fn free_port() -> u16 {
    static NEXT: Mutex<u16> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap();
    if *next == 0 {
        *next = 20_000 + (std::process::id() % 10_000) as u16;
    }
    loop {
        *next = if *next >= 31_999 { 20_000 } else { *next + 1 };
        match TcpListener::bind(("127.0.0.1", *next)) {
            Ok(_) => return *next,
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => panic!("no port: {error}"),
        }
    }
}
