//! The second fence in the kernel: its ranges are those of the address policy, and it holds for its user alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sendbox::egress::{AddressPolicy, Cidr};
use sendbox_tests::canary::{Canary, in_namespace};
use sendbox_tests::network::can_start;
use sendbox_tests::repository;

use crate::egress_kit::bad_inputs;

fn script() -> PathBuf {
    repository::root().join("docs/egress-backstop.sh")
}

fn run(words: &str) -> Output {
    let output = Command::new(script()).args(words.split(' ')).output();
    output.unwrap()
}

fn succeeds(words: &str) -> String {
    let output = run(words);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {text}{errors}");
    text
}

/// The elements of a set in the rules.
fn set(rules: &str, name: &str) -> Vec<Cidr> {
    let (_, rest) = rules.split_once(&format!("set {name} ")).unwrap();
    let (_, rest) = rest.split_once("elements = {").unwrap();
    let (list, _) = rest.split_once('}').unwrap();
    list.split(',')
        .map(|text| text.trim().parse().unwrap())
        .collect()
}

#[test]
fn the_backstop_refuses_what_the_address_policy_refuses() {
    let rules = succeeds("print --user root");
    let (four, six) = (set(&rules, "forbidden4"), set(&rules, "forbidden6"));
    let policy = AddressPolicy::default();
    let is_stopped = |address: IpAddr| {
        let ranges = if address.is_ipv4() { &four } else { &six };
        ranges.iter().any(|range| range.contains(address))
    };
    let agree = |address: IpAddr| {
        let refused = policy.judge(address).is_err();
        assert_eq!(is_stopped(address), refused, "{address}");
    };
    // Each network of 256 addresses.
    for network in 0..=0x00ff_ffff_u32 {
        agree(Ipv4Addr::from_bits(network << 8 | 16).into());
    }
    for text in [
        "168.63.129.15",
        "168.63.129.16",
        "168.63.129.17",
        "::",
        "::1",
        "::7f00:1",
        "64:ff9b::a00:1",
        "100::1",
        "1fff:ffff::1",
        "2000::1",
        "2001::1",
        "2001:1ff:ffff::1",
        "2001:200::1",
        "2001:db8::1",
        "2001:db9::1",
        "2002:a00:1::1",
        "2003::1",
        "2606:4700::1111",
        "3ffe::1",
        "3fff::1",
        "3fff:1000::1",
        "4000::1",
        "8000::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
    ] {
        agree(text.parse().unwrap());
    }
    for (id, input, expect) in bad_inputs("addr") {
        let Ok(address) = input.as_str().unwrap().parse::<IpAddr>() else {
            continue;
        };
        let stopped = is_stopped(address.to_canonical());
        assert_eq!(stopped, expect != "allow", "{id}");
    }
}

/// Whether `user` can connect, by a process of its own.
fn reaches(user: &str, address: &str) -> bool {
    let status = Command::new("setpriv")
        .args([
            "--reuid",
            user,
            "--regid",
            "65534",
            "--clear-groups",
            "bash",
            "-c",
        ])
        .arg(format!("exec 3<>/dev/tcp/{address}/8080"))
        .output();
    status.unwrap().status.success()
}

const NOBODY: &str = "65534";

#[test]
fn the_backstop_stops_its_user_and_nobody_else() {
    if !can_start("nftables", Path::new("/usr/sbin/nft").is_file()) {
        return;
    }
    in_namespace(|| async {
        let canary = Canary::default();
        canary.listen(8080, None).await;
        let forbidden = [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "::1",
            "fd00:ec2::254",
        ];
        let permitted = ["8.8.8.8", "2606:4700::1111"];
        assert!(!run("check --user nobody").status.success(), "it is not up");
        for address in forbidden.iter().chain(&permitted) {
            assert!(reaches(NOBODY, address), "{address}");
        }
        succeeds("up --user nobody --allow 10.9.0.0/16");
        // Again, and with more: the second replaces the first.
        succeeds("up --user nobody --allow 10.0.0.53 --allow fd00::53 --allow 10.0.0.0/30");
        let told = succeeds("check --user nobody");
        assert!(told.contains("refused: 169.254.169.254"), "{told}");
        assert!(!run("check --user root").status.success());
        assert!(!canary.take().is_empty());
        for address in [
            "127.0.0.1",
            "10.0.0.9",
            "10.9.0.1",
            "169.254.169.254",
            "::1",
            "fd00:ec2::254",
        ] {
            assert!(!reaches(NOBODY, address), "{address}");
        }
        assert_eq!(canary.take(), []);
        for address in permitted
            .iter()
            .chain(&["10.0.0.53", "10.0.0.1", "fd00::53"])
        {
            assert!(reaches(NOBODY, address), "{address}");
        }
        assert!(reaches("0", "10.0.0.9"), "another user");
        assert!(answers_its_callers().await);
        succeeds("down");
        succeeds("down");
        for address in forbidden {
            assert!(reaches(NOBODY, address), "{address}");
        }
    });
}

/// Whether a server of the user's still serves callers on loopback.
async fn answers_its_callers() -> bool {
    const SERVER: &str = "use IO::Socket::INET; $| = 1;\n\
        my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1:8181') or die;\n\
        print 1; print { $s->accept } 'hello'";
    let mut server = Command::new("setpriv")
        .args([
            "--reuid",
            NOBODY,
            "--regid",
            NOBODY,
            "--clear-groups",
            "/usr/bin/perl",
            "-e",
            SERVER,
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0];
    std::io::Read::read_exact(server.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8181));
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut said = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut client, &mut said)
        .await
        .unwrap();
    server.wait().unwrap();
    said == "hello"
}

#[test]
fn the_backstops_script_has_no_fault_that_a_linter_knows() {
    if !can_start("shellcheck", Path::new("/usr/bin/shellcheck").is_file()) {
        return;
    }
    let output = Command::new("shellcheck").arg(script()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
