//! The program's process: started, signalled, and ended.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};

use super::{Run, STUCK};

impl Run {
    /// Starts the program. Whether it came to listen.
    pub fn start(&mut self) -> bool {
        let program = env!("CARGO_BIN_EXE_sendbox").to_owned();
        let mut words = self.wrapper.iter().chain([&program]);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .args(["serve", "--listen", &self.address.to_string(), "--data"])
            .arg(&self.data)
            .envs(self.environment.iter().cloned())
            .env("SENDBOX_FAULT_PLAN", &self.plan)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let lines = log.lines().map_while(Result::ok);
        let mut lines = lines.inspect(|line| eprintln!("{line}"));
        let listens = lines.any(|line| line.contains("listening"));
        std::thread::spawn(move || lines.count());
        self.child = Some(child);
        self.starts.send_modify(|count| *count += 1);
        listens
    }

    /// SIGKILL.
    pub async fn kill(&mut self) -> ExitStatus {
        self.child.as_mut().unwrap().kill().unwrap();
        self.ended().await
    }

    /// Until the program has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let ended = async {
            loop {
                if let Some(end) = child.try_wait().unwrap() {
                    return end;
                }
                self.a_while().await;
            }
        };
        let ended = tokio::time::timeout(STUCK, ended).await;
        ended.expect("the program does not end")
    }

    /// Sends a signal, such as `TERM`, unless the program has ended.
    pub fn signal(&mut self, name: &str) {
        let child = self.child.as_mut().unwrap();
        if child.try_wait().unwrap().is_none() {
            let pid = child.id().to_string();
            let sent = Command::new("kill").args(["-s", name, &pid]).status();
            assert!(sent.unwrap().success());
        }
    }

    /// The variables that the program runs with, each as `NAME=value`.
    pub fn variables(&self) -> Vec<String> {
        let environ = format!("/proc/{}/environ", self.child.as_ref().unwrap().id());
        let environ = std::fs::read_to_string(environ).unwrap();
        environ.split('\0').map(str::to_owned).collect()
    }

    /// The program runs, and does not stand still.
    pub(super) fn runs(&self) -> bool {
        let stat = format!("/proc/{}/stat", self.child.as_ref().unwrap().id());
        let stat = std::fs::read_to_string(&stat);
        stat.is_ok_and(|stat| !stat.contains(") T ") && !stat.contains(") Z "))
    }

    /// Until the program stands still.
    pub async fn stopped(&self) {
        let stopped = async {
            while self.runs() {
                self.a_while().await;
            }
        };
        let stopped = tokio::time::timeout(STUCK, stopped).await;
        stopped.expect("the program runs on");
    }
}
