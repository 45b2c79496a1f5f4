//! WASI 0.2, but for HTTP.

use std::hint::black_box;

use wasip2::cli::{
    environment, stderr, stdin, stdout, terminal_stderr, terminal_stdin, terminal_stdout,
};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::filesystem::preopens;
use wasip2::io::poll;
use wasip2::random::{insecure, insecure_seed, random};
use wasip2::sockets::network::IpAddressFamily;
use wasip2::sockets::{instance_network, ip_name_lookup, tcp_create_socket, udp_create_socket};

use crate::component::{Call, MOST};

/// What a stream lets be written at once.
const WRITE: usize = 64 << 10;
/// The most of one `blocking-write-and-flush`.
const FLUSHED: usize = 4 << 10;

pub(crate) const CALLS: &[Call] = &[
    ("wasi:cli/stderr write blank lines", |_| {
        drop(stderr::get_stderr().write(&vec![b'\n'; WRITE]))
    }),
    ("wasi:cli/stdout write blank lines", |_| {
        drop(stdout::get_stdout().write(&vec![b'\n'; WRITE]))
    }),
    ("wasi:cli/stderr write one line", |_| {
        drop(stderr::get_stderr().write(&vec![0xff; WRITE]))
    }),
    ("wasi:cli/stderr write more than allowed", |_| {
        drop(stderr::get_stderr().write(&vec![b'\n'; MOST]))
    }),
    ("wasi:cli/stderr write blank lines on and on", |_| {
        let (stream, lines) = (stderr::get_stderr(), vec![b'\n'; WRITE]);
        for _ in 0..16 {
            drop(stream.write(&lines));
        }
    }),
    ("wasi:io/streams write-zeroes more than there is", |_| {
        drop(stderr::get_stderr().write_zeroes(u64::MAX))
    }),
    ("wasi:io/streams write-zeroes", |_| {
        drop(stderr::get_stderr().write_zeroes(WRITE as u64))
    }),
    ("wasi:io/streams blocking-write-zeroes-and-flush", |_| {
        drop(stderr::get_stderr().blocking_write_zeroes_and_flush(u64::MAX));
    }),
    ("wasi:io/streams blocking-write-and-flush", |_| {
        drop(stderr::get_stderr().blocking_write_and_flush(&vec![b'\n'; FLUSHED]));
    }),
    ("wasi:io/streams flush", |_| {
        let stream = stderr::get_stderr();
        drop((
            stream.check_write(),
            stream.flush(),
            stream.blocking_flush(),
            stream.subscribe(),
        ));
    }),
    ("wasi:io/streams read", |_| {
        drop(stdin::get_stdin().read(u64::MAX))
    }),
    ("wasi:io/streams blocking-read", |_| {
        drop(stdin::get_stdin().blocking_read(u64::MAX))
    }),
    ("wasi:io/streams skip", |_| {
        let stream = stdin::get_stdin();
        drop((
            stream.skip(u64::MAX),
            stream.blocking_skip(u64::MAX),
            stream.subscribe(),
        ));
    }),
    ("wasi:io/streams splice", |_| {
        let (to, from) = (stderr::get_stderr(), stdin::get_stdin());
        drop((
            to.splice(&from, u64::MAX),
            to.blocking_splice(&from, u64::MAX),
        ));
    }),
    ("wasi:io/error to-debug-string", |_| {
        if let Err(wasip2::io::streams::StreamError::LastOperationFailed(error)) =
            stdin::get_stdin().read(1)
        {
            drop(error.to_debug_string());
        }
    }),
    ("wasi:io/poll poll one many times", |_| {
        let pollable = stderr::get_stderr().subscribe();
        drop(poll::poll(&vec![&pollable; MOST / 4]));
    }),
    ("wasi:io/poll poll many", |_| {
        let pollables: Vec<_> = (0..200)
            .map(|_| monotonic_clock::subscribe_duration(1))
            .collect();
        drop(poll::poll(&pollables.iter().collect::<Vec<_>>()));
    }),
    ("wasi:io/poll block", |_| {
        let pollable = monotonic_clock::subscribe_duration(1);
        pollable.block();
        black_box(pollable.ready());
    }),
    ("wasi:cli/environment all", |_| {
        drop((
            environment::get_environment(),
            environment::get_arguments(),
            environment::initial_cwd(),
        ));
    }),
    ("wasi:cli/terminal-stderr get", |_| {
        drop(terminal_stderr::get_terminal_stderr())
    }),
    ("wasi:cli/terminal-stdin get", |_| {
        drop(terminal_stdin::get_terminal_stdin())
    }),
    ("wasi:cli/terminal-stdout get", |_| {
        drop(terminal_stdout::get_terminal_stdout())
    }),
    ("wasi:cli/terminal-input keep", |_| {
        keep(terminal_stdin::get_terminal_stdin)
    }),
    ("wasi:cli/terminal-output keep", |_| {
        keep(terminal_stdout::get_terminal_stdout)
    }),
    ("wasi:cli/stdin keep", |_| keep(stdin::get_stdin)),
    ("wasi:cli/exit exit", |_| wasip2::cli::exit::exit(Err(()))),
    ("wasi:clocks/monotonic-clock all", |_| {
        let now = (monotonic_clock::now(), monotonic_clock::resolution());
        drop((now, monotonic_clock::subscribe_instant(u64::MAX)));
    }),
    ("wasi:clocks/monotonic-clock keep", |_| {
        keep(|| monotonic_clock::subscribe_duration(u64::MAX))
    }),
    ("wasi:clocks/wall-clock all", |_| {
        drop((wall_clock::now(), wall_clock::resolution()))
    }),
    ("wasi:random/random bytes", |_| {
        drop(random::get_random_bytes(WRITE as u64))
    }),
    ("wasi:random/random too many bytes", |_| {
        drop(random::get_random_bytes(u64::MAX))
    }),
    ("wasi:random/random u64", |_| {
        drop(black_box(random::get_random_u64()))
    }),
    ("wasi:random/insecure bytes", |_| {
        drop(insecure::get_insecure_random_bytes(WRITE as u64))
    }),
    ("wasi:random/insecure too many bytes", |_| {
        drop(insecure::get_insecure_random_bytes(u64::MAX))
    }),
    ("wasi:random/insecure-seed seed", |_| {
        drop(black_box(insecure_seed::insecure_seed()))
    }),
    ("wasi:filesystem/preopens get", |_| {
        drop(preopens::get_directories())
    }),
    ("wasi:filesystem/types get", |_| {
        drop(std::fs::read_dir("/"))
    }),
    ("wasi:sockets/instance-network keep", |_| {
        keep(instance_network::instance_network)
    }),
    ("wasi:sockets/network all", |_| {
        drop(instance_network::instance_network())
    }),
    ("wasi:sockets/ip-name-lookup a long name", |_| {
        let network = instance_network::instance_network();
        drop(ip_name_lookup::resolve_addresses(
            &network,
            &"a.".repeat(MOST / 2),
        ));
    }),
    ("wasi:sockets/tcp-create-socket keep", |_| {
        keep(|| tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv6));
    }),
    ("wasi:sockets/udp-create-socket keep", |_| {
        keep(|| udp_create_socket::create_udp_socket(IpAddressFamily::Ipv6));
    }),
    ("wasi:sockets/tcp connect", |_| {
        drop(std::net::TcpStream::connect("127.0.0.1:80"))
    }),
    ("wasi:sockets/udp bind", |_| {
        drop(std::net::UdpSocket::bind("127.0.0.1:0"))
    }),
];

/// Keeps as many as there may be.
fn keep<T>(make: impl Fn() -> T) {
    drop(
        std::iter::repeat_with(make)
            .take(10_000)
            .collect::<Vec<_>>(),
    );
}
