//! The page about deploying, done: its service starts, its backup comes back, its upgrade passes, its nginx hands on. What
//! the page puts into folders of the machine lies in one of the test's here, and a stand-in starts what systemd would.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use sendbox::config::Loaded;
use sendbox_tests::canary::in_namespace;
use sendbox_tests::certificates::Authority;
use sendbox_tests::network::can_start;
use sendbox_tests::repository;

/// Folders of the machine, and what stands for them below the test's.
const FOLDERS: [(&str, &str); 6] = [
    ("/usr/local/bin", "bin"),
    ("/etc/sendbox", "etc"),
    ("/var/lib/sendbox", "data"),
    ("/var/backups", "backups"),
    ("/srv/sendbox-keys", "keys"),
    ("/etc/ssl/sendbox", "tls"),
];

/// The page's blocks of a language, with the test's folders in them.
fn blocks(language: &str, folder: &Path) -> Vec<String> {
    let page = fs::read_to_string(repository::root().join("docs/deploying.md")).unwrap();
    let begin = format!("```{language}");
    let mut lines = page.lines();
    let mut blocks = Vec::new();
    while lines.any(|line| line == begin) {
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let mut block = block.join("\n");
        for (machine, own) in FOLDERS {
            block = block.replace(machine, folder.join(own).to_str().unwrap());
        }
        blocks.push(block);
    }
    assert!(!blocks.is_empty(), "no block of {language}");
    blocks
}

fn tool(folder: &Path, name: &str, script: &str) {
    let path = folder.join("tools").join(name);
    fs::write(&path, format!("#!/bin/bash\nset -eu\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The machine that the page begins on.
fn prepare(folder: &Path, authority: &Authority) {
    for name in [
        "bin",
        "etc",
        "backups",
        "keys",
        "tls",
        "tools",
        "target/release",
    ] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    let built = folder.join("target/release/sendbox");
    symlink(env!("CARGO_BIN_EXE_sendbox"), built).unwrap();
    fs::write(folder.join("etc/sendbox.toml"), &blocks("toml", folder)[0]).unwrap();
    let (certificate, key) = authority.files("localhost");
    fs::copy(certificate, folder.join("tls/certificate.pem")).unwrap();
    fs::copy(key, folder.join("tls/key.pem")).unwrap();
    let f = folder.display();
    tool(folder, "useradd", "");
    tool(folder, "chown", "");
    tool(
        folder,
        "systemctl",
        &format!(
            "start() {{ {f}/bin/sendbox serve --config {f}/etc/sendbox.toml > {f}/log 2>&1 < /dev/null & echo $! > {f}/pid
                until curl -sf -o {f}/ready http://127.0.0.1:8080/readyz; do sleep 0.1; done; }}
            stop() {{ kill $(cat {f}/pid); while kill -0 $(cat {f}/pid) 2> {f}/gone; do sleep 0.05; done; }}
            case $1 in
                daemon-reload) ;;
                enable | start) start ;;
                stop) stop ;;
                restart) stop; start ;;
            esac"
        ),
    );
    let nginx = &blocks("nginx", folder)[0];
    let main = format!(
        "pid {f}/nginx.pid;\nerror_log {f}/nginx.log;\nevents {{}}\nhttp {{\naccess_log off;\n{nginx}\n}}\n"
    );
    fs::write(folder.join("nginx.conf"), main).unwrap();
}

/// The page's commands in their order, with looks at what they did between them.
fn script(folder: &Path, authority: &Authority) -> String {
    let f = folder.display();
    let looks = [
        (
            "enable --now",
            format!(
                "export SENDBOX_KEY=$(cat {f}/data/operator.key)
                sendbox tenant put before"
            ),
        ),
        (".backup", "sendbox tenant put after".to_owned()),
        (
            "systemctl stop",
            "sendbox tenant list | grep -q before\nif sendbox tenant list | grep -q after; then exit 1; fi".to_owned(),
        ),
        (
            "systemctl restart",
            format!(
                "sendbox tenant list | grep -q before
                nginx -c {f}/nginx.conf
                sendbox tenant put proxied --server https://localhost --ca {ca}
                head -c 20000000 /dev/zero > {f}/large
                if sendbox connector upload {f}/large --server https://localhost --ca {ca} 2> {f}/refused; then exit 1; fi
                grep -q 'the server answers 422' {f}/refused
                nginx -c {f}/nginx.conf -s stop",
                ca = authority.file().display()
            ),
        ),
    ];
    let mut script = format!("set -eux -o pipefail\ntrap 'kill $(cat {f}/pid) || true' EXIT\n");
    let mut looked = 0;
    for block in blocks("sh", folder) {
        script.push_str(&block);
        script.push('\n');
        for (sign, look) in &looks {
            if block.contains(sign) && !(*sign == ".backup" && block.contains("before-upgrade")) {
                script.push_str(look);
                script.push('\n');
                looked += 1;
            }
        }
    }
    assert_eq!(looked, looks.len(), "{script}");
    script + "echo all of it ran\n"
}

#[test]
fn what_the_page_about_deploying_says_works_as_it_is_written() {
    let tools = ["nginx", "sqlite3", "curl"];
    let is_there = |name: &&str| {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {name}")])
            .output();
        found.unwrap().status.success()
    };
    if !can_start("nginx, sqlite3 and curl", tools.iter().all(is_there)) {
        return;
    }
    in_namespace(|| async {
        let folder = tempfile::tempdir().unwrap();
        // nginx does not run as the test's user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let authority = Authority::new();
        prepare(folder.path(), &authority);
        let (own, path) = (folder.path().display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell
            .args(["-c", &script(folder.path(), &authority)])
            .current_dir(folder.path())
            .env("PATH", format!("{own}/tools:{own}/bin:{path}"))
            .env("SENDBOX__ENGINE__POOL_SLOTS", "16")
            .env("SENDBOX__NODE_LIMITS__FREE_DISK_BYTES", "1");
        let output = tokio::task::spawn_blocking(move || shell.output().unwrap());
        let output = output.await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        assert!(
            output.status.success() && said.contains("all of it ran"),
            "{said}\n{}\n{log}",
            String::from_utf8_lossy(&output.stderr)
        );
    });
}

#[test]
fn the_pages_unit_and_its_configurations_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    fs::create_dir(folder.path().join("etc")).unwrap();
    fs::create_dir(folder.path().join("bin")).unwrap();
    fs::copy(authority.file(), folder.path().join("etc/company-ca.pem")).unwrap();
    let configurations = blocks("toml", folder.path());
    assert_eq!(configurations.len(), 2);
    for text in configurations {
        let file = folder.path().join("sendbox.toml");
        fs::write(&file, text).unwrap();
        let loaded = Loaded::load(Some(&file), [("", ""); 0], &[]).unwrap();
        sendbox::egress::Egress::new(&loaded.config.egress).unwrap();
    }
    let is_there = Path::new("/usr/bin/systemd-analyze").exists();
    if !can_start("systemd-analyze", is_there) {
        return;
    }
    symlink(
        env!("CARGO_BIN_EXE_sendbox"),
        folder.path().join("bin/sendbox"),
    )
    .unwrap();
    let unit = folder.path().join("sendbox.service");
    let verify = |text: &str| {
        fs::write(&unit, text).unwrap();
        let output = Command::new("systemd-analyze")
            .arg("verify")
            .arg(&unit)
            .output();
        let output = output.unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let text = &blocks("ini", folder.path())[0];
    let said = verify(&text.replace("NoNewPrivileges", "NoNewPrivilege"));
    assert!(said.contains("NoNewPrivilege"), "{said}");
    let said = verify(text);
    assert!(!said.contains("sendbox.service"), "{said}");
}
