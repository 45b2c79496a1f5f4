//! Mail over pooled SMTP sessions: sandboxed, the same mail by the egress floor alone, and by lettre, in
//! turns; and an e-mail provider's signed API over HTTPS.

use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use lettre::message::header::ContentType;
use lettre::transport::smtp::PoolConfig;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use sendbox::egress::{
    Capture, Egress, SmtpAuth, SmtpEnvelope, SmtpSecurity, SmtpServer, SmtpSubmission, Transport,
};

use super::fixture::{self, Component, Ready, Setting};
use super::load::{Client, Figures, drive, median};
use super::report::{Bound, Report, Table};
use super::wire::{ROUND, ROUNDS, Sandboxed, WARM_UP, runtime};

const AT_ONCE: [usize; 2] = [1, 32];

/// One send of the signed API by the peer's connector, and a tenth of one mail by the peer's, in µs of CPU,
/// each as measured on other hardware.
const PEER_SIGNED: f64 = 3_750.0;
const PEER_MAIL: f64 = 900.0;

pub(crate) fn measure(setting: &Setting, report: &mut Report) -> Result<()> {
    runtime()?.block_on(async {
        pooled(setting, report).await?;
        signed(setting, report).await
    })
}

/// Sandboxed mails for a while, 32 at once.
pub(crate) fn profile(setting: &Setting) -> Result<()> {
    runtime()?.block_on(async {
        let mails = Mails::new(setting).await?;
        let mut clients: Vec<_> = (0..32).map(|_| mails.sandboxed()).collect();
        for _ in 0..20 {
            println!("{:?}", drive(&mut clients, ROUND).await?);
        }
        Ok(())
    })
}

async fn pooled(setting: &Setting, report: &mut Report) -> Result<()> {
    const COLUMNS: &[&str] = &["mails/s", "CPU µs", "p50 µs", "p99 µs"];
    let mails = Mails::new(setting).await?;
    let mut table = Table::new("Mail on kept SMTP sessions, one core", COLUMNS);
    for at_once in AT_ONCE {
        let mut sandboxed: Vec<_> = (0..at_once).map(|_| mails.sandboxed()).collect();
        let mut native: Vec<_> = (0..at_once).map(|_| mails.native()).collect();
        let transport = mails.lettre(at_once)?;
        let mut lettre: Vec<_> = (0..at_once).map(|_| Lettre(transport.clone())).collect();
        drive(&mut sandboxed, WARM_UP).await?;
        drive(&mut native, WARM_UP).await?;
        drive(&mut lettre, WARM_UP).await?;
        let mut rounds: [Vec<Figures>; 3] = Default::default();
        for _ in 0..ROUNDS {
            let [of_sandboxed, of_native, of_lettre] = &mut rounds;
            of_sandboxed.push(drive(&mut sandboxed, ROUND).await?);
            of_native.push(drive(&mut native, ROUND).await?);
            of_lettre.push(drive(&mut lettre, ROUND).await?);
        }
        let figures = rounds.map(|rounds| median(&rounds));
        for (name, of) in ["sandboxed", "egress alone", "lettre"].iter().zip(&figures) {
            let row = vec![of.per_second, of.cpu, of.p50, of.p99];
            table.row(format!("{at_once:>3} at once: {name}"), row);
        }
        goals(at_once, figures, report);
    }
    report.add(table);
    Ok(())
}

fn goals(at_once: usize, [sandboxed, _, lettre]: [Figures; 3], report: &mut Report) {
    if at_once == 1 {
        let median = sandboxed.p50 / 1000.0;
        report.goal("mail, 1 at once: median (ms)", median, Bound::AtMost(1.0));
        return;
    }
    report.goal(
        "mail, 32 at once: CPU, times lettre's",
        sandboxed.cpu / lettre.cpu,
        Bound::AtMost(1.0),
    );
    report.goal(
        "mail, 32 at once: CPU (µs), a tenth of the peer's",
        sandboxed.cpu,
        Bound::AtMost(PEER_MAIL / 10.0),
    );
}

async fn signed(setting: &Setting, report: &mut Report) -> Result<()> {
    if setting.provider.standard.is_none() {
        eprintln!("skipped: port 443 of loopback is not to be had, so no signed API");
        return Ok(());
    }
    let (engine, egress) = (setting.engine()?, setting.egress()?);
    let component = Component::bundled("aws-ses")?;
    let ready = Ready::new(&engine, &egress, &component, fixture::aws_ses()).await?;
    let ready = Arc::new(ready);
    let mut table = Table::new(
        "A signed send over HTTPS, one core (`aws-ses`)",
        &["sends/s", "CPU µs", "p50 µs", "p99 µs"],
    );
    for at_once in AT_ONCE {
        let mut clients: Vec<_> = (0..at_once)
            .map(|_| Sandboxed::new(&ready, &egress))
            .collect();
        drive(&mut clients, WARM_UP).await?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(drive(&mut clients, ROUND).await?);
        }
        let of = median(&rounds);
        let row = vec![of.per_second, of.cpu, of.p50, of.p99];
        table.row(format!("{at_once:>3} at once"), row);
        if at_once == 32 {
            report.goal(
                "signed send, 32 at once: CPU (µs), a twentieth of the peer's",
                of.cpu,
                Bound::AtMost(PEER_SIGNED / 20.0),
            );
        }
    }
    report.add(table);
    Ok(())
}

/// One mail in three ways.
struct Mails {
    setting: Setting,
    ready: Arc<Ready>,
    egress: Arc<Egress>,
    data: Bytes,
}

impl Mails {
    async fn new(setting: &Setting) -> Result<Self> {
        let (engine, egress) = (setting.engine()?, setting.egress()?);
        let component = Component::bundled("smtp")?;
        let settings = fixture::smtp(setting.provider.mail);
        let ready = Ready::new(&engine, &egress, &component, settings).await?;
        let capture = Arc::new(Capture::new(Vec::new()));
        let call = ready.call(ready.open(Transport::Capture(capture.clone())));
        ready.send(call).await?;
        let mail = capture.mails().pop().and_then(|mail| mail.data);
        Ok(Self {
            setting: setting.clone(),
            ready: Arc::new(ready),
            egress,
            data: mail.context("the connector made no mail")?.into(),
        })
    }

    fn sandboxed(&self) -> Sandboxed {
        Sandboxed::new(&self.ready, &self.egress)
    }

    fn native(&self) -> Native {
        let address = self.setting.provider.mail;
        let server = SmtpServer {
            host: address.ip().to_string(),
            port: address.port(),
            security: SmtpSecurity::None,
            server_name: None,
            auth: SmtpAuth::None,
            name: None,
            local_address: None,
            connect_timeout: None,
            command_timeout: None,
        };
        let envelope = SmtpEnvelope {
            mail_from: fixture::FROM.to_owned(),
            rcpt_to: vec![fixture::TO.to_owned()],
        };
        Native {
            ready: self.ready.clone(),
            egress: self.egress.clone(),
            submission: SmtpSubmission {
                server,
                envelope,
                data: self.data.clone(),
            },
        }
    }

    fn lettre(&self, at_once: usize) -> Result<AsyncSmtpTransport<Tokio1Executor>> {
        let address = self.setting.provider.mail;
        let sessions = PoolConfig::new().max_size(u32::try_from(at_once)?);
        let host = address.ip().to_string();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host);
        Ok(transport.port(address.port()).pool_config(sessions).build())
    }
}

/// As [`Sandboxed`], with the mail at hand in place of a guest that composes it.
struct Native {
    ready: Arc<Ready>,
    egress: Arc<Egress>,
    submission: SmtpSubmission,
}

impl Client for Native {
    async fn once(&mut self) -> Result<()> {
        let exit = self.ready.open(Transport::Live(self.egress.clone()));
        exit.scope.smtp(self.submission.clone()).await?;
        Ok(())
    }
}

/// A mail composed and sent as lettre's documentation does it.
struct Lettre(AsyncSmtpTransport<Tokio1Executor>);

impl Client for Lettre {
    async fn once(&mut self) -> Result<()> {
        let mail = Message::builder()
            .from(format!("Example <{}>", fixture::FROM).parse()?)
            .to(fixture::TO.parse()?)
            .subject(fixture::SUBJECT)
            .header(ContentType::TEXT_HTML)
            .body(fixture::BODY.to_owned())?;
        self.0.send(mail).await?;
        Ok(())
    }
}
