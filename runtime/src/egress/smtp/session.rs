//! One session with a mail server (RFC 5321): opened, secured and logged in once, then one message after
//! the other.
//!
//! Written here and not taken from mail-send: its client hides how far a message came, reads replies
//! without a limit on their number, and writes a body and its final dot apart, which waits for the server's
//! delayed ACK.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use super::auth::log_in;
use super::mail::Mail;
use super::offers::Offers;
use super::reply::{Channel, Reply};
use super::{SmtpAuth, SmtpError, SmtpReply, SmtpSecurity};
use crate::egress::EgressError;
use crate::egress::dial::Ends;
use crate::egress::journal::Entry;
use crate::egress::link::Stream;
use crate::egress::meter::{Meter, Metered};
use crate::egress::pool::Kept;
use crate::egress::scope::Gate;
use crate::egress::target::Host;
use crate::egress::tls::Tls;

/// For a greeting or the reply to a command.
const REPLY: Duration = Duration::from_secs(30);
/// For the reply to the final dot: the server may look at the message first.
const FINAL_REPLY: Duration = Duration::from_secs(60);
/// For the goodbye, which nobody waits for.
const GOODBYE: Duration = Duration::from_secs(1);
/// Messages of one session: some servers slow down or close after so many.
const MAILS_MAX: u32 = 100;

/// How long to wait for replies.
#[derive(Clone, Copy)]
pub(in crate::egress) struct Pace {
    pub(super) reply: Option<Duration>,
    pub(super) deadline: Instant,
}

impl Pace {
    fn until(&self, default: Duration) -> Instant {
        self.deadline
            .min(Instant::now() + self.reply.unwrap_or(default))
    }

    pub(super) fn command(&self) -> Instant {
        self.until(REPLY)
    }
}

/// All that opens a session over a connection.
pub(in crate::egress) struct Opening<'o> {
    pub(in crate::egress) security: SmtpSecurity,
    /// None over a stream in memory.
    pub(in crate::egress) tls: Option<&'o Tls>,
    /// The certificate's name.
    pub(in crate::egress) verify: &'o Host,
    pub(in crate::egress) tls_until: Instant,
    /// The `EHLO` name; the local address by default.
    pub(in crate::egress) name: Option<&'o str>,
    pub(in crate::egress) auth: &'o SmtpAuth,
    /// The operator lets mail leave in clear.
    pub(in crate::egress) plaintext: bool,
    pub(in crate::egress) pace: Pace,
}

impl Opening<'_> {
    /// Greets, secures and logs in. Where this fails no byte of a message has left.
    pub(in crate::egress) async fn open(
        &self,
        stream: Stream,
        ends: Ends,
    ) -> Result<Session, SmtpError> {
        let stream = match (self.security, stream) {
            (SmtpSecurity::Tls, Stream::Plain(tcp)) => self.handshake(tcp).await?,
            (_, stream) => stream,
        };
        let mut channel = Channel::new(stream);
        let greeting = channel.reply(self.pace.command()).await?;
        if !greeting.is(220) {
            // Also a 5yz: the server refuses this client, not the message, and may take it later.
            return Err(SmtpError::Deferred(greeting.told()));
        }
        let name = self.name.map_or_else(|| literal(ends.local), str::to_owned);
        let mut offers = self.hello(&mut channel, &name).await?;
        if matches!(channel.stream, Stream::Plain(_)) && self.security != SmtpSecurity::None {
            if offers.starttls {
                channel = self.upgrade(channel).await?;
                // What was offered in clear may have been forged.
                offers = self.hello(&mut channel, &name).await?;
            } else {
                self.check_clear()?;
            }
        }
        let under_tls = !matches!(channel.stream, Stream::Plain(_));
        log_in(&mut channel, self.auth, &offers.auth, under_tls, &self.pace).await?;
        let meter = Arc::new(Meter::default());
        Ok(Session {
            channel: Channel {
                stream: Metered::new(channel.stream, Arc::clone(&meter)),
                received: channel.received,
            },
            meter,
            offers,
            ends,
            mails: 0,
            answered: false,
            clean: true,
        })
    }

    async fn handshake(&self, tcp: tokio::net::TcpStream) -> Result<Stream, EgressError> {
        let none = || EgressError::Tls("no TLS in memory".to_owned());
        let tls = self.tls.ok_or_else(none)?;
        let session = tls.connect(self.verify, tcp, self.tls_until).await?;
        Ok(Stream::Tls(Box::new(session)))
    }

    async fn hello(&self, channel: &mut Channel<Stream>, name: &str) -> Result<Offers, SmtpError> {
        let reply = channel
            .command(&format!("EHLO {name}"), self.pace.command())
            .await?;
        if reply.is(250) {
            return Ok(Offers::of(&reply));
        }
        if reply.code / 100 == 4 {
            return Err(SmtpError::Deferred(reply.told()));
        }
        // A server from before RFC 1869 offers nothing.
        let reply = channel
            .command(&format!("HELO {name}"), self.pace.command())
            .await?;
        match reply.is(250) {
            true => Ok(Offers::default()),
            false => Err(SmtpError::of(reply.told())),
        }
    }

    async fn upgrade(&self, mut channel: Channel<Stream>) -> Result<Channel<Stream>, SmtpError> {
        let refused = |words: &str| EgressError::Tls(words.to_owned());
        let reply = channel.command("STARTTLS", self.pace.command()).await?;
        if !reply.is(220) {
            return Err(refused("the server refused STARTTLS").into());
        }
        // Whoever stands between could have put answers here for after the handshake (CVE-2011-0411).
        if !channel.received.is_empty() {
            return Err(refused("the server sent more before the TLS handshake").into());
        }
        match channel.stream {
            Stream::Plain(tcp) => Ok(Channel::new(self.handshake(tcp).await?)),
            secure => Ok(Channel::new(secure)),
        }
    }

    /// Whether a session without `STARTTLS` may go on.
    fn check_clear(&self) -> Result<(), EgressError> {
        let words = match self.security {
            SmtpSecurity::Opportunistic if !self.plaintext => {
                "the server does not offer STARTTLS, and plain text is not allowed"
            }
            SmtpSecurity::Opportunistic if *self.auth != SmtpAuth::None => {
                "the server does not offer STARTTLS, and credentials do not leave in clear"
            }
            SmtpSecurity::Opportunistic => return Ok(()),
            _ => "the server does not offer STARTTLS",
        };
        Err(EgressError::Tls(words.to_owned()))
    }
}

/// An address as an `EHLO` name (RFC 5321, 4.1.3).
fn literal(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => format!("[{}]", address.ip()),
        SocketAddr::V6(address) => format!("[IPv6:{}]", address.ip()),
    }
}

/// An open session.
#[derive(Debug)]
pub(in crate::egress) struct Session {
    channel: Channel<Metered<Stream>>,
    pub(super) meter: Arc<Meter>,
    offers: Offers,
    ends: Ends,
    mails: u32,
    /// The server answered something since the last message began.
    pub(super) answered: bool,
    /// No message is under way.
    clean: bool,
}

impl Kept for Session {
    fn opened(&self) -> std::time::Instant {
        self.ends.opened.into_std()
    }

    /// The server said nothing unasked, such as 421, and another message may follow.
    fn is_usable(&mut self) -> bool {
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        let mut cx = Context::from_waker(Waker::noop());
        let stream = Pin::new(&mut self.channel.stream);
        self.clean
            && self.mails < MAILS_MAX
            && self.channel.received.is_empty()
            && stream.poll_read(&mut cx, &mut byte).is_pending()
    }

    fn close(self) {
        // One that was broken off expects no goodbye.
        if self.clean {
            tokio::spawn(self.quit());
        }
    }
}

impl Session {
    /// Says goodbye and closes.
    async fn quit(mut self) {
        let until = Instant::now() + GOODBYE;
        let _ = self.channel.write(b"QUIT\r\n", until).await;
    }

    /// Submits one message. The gate is passed before its first byte, after the server asked for it.
    pub(in crate::egress) async fn submit(
        &mut self,
        mail: &Mail,
        pace: &Pace,
        entry: &Entry<'_>,
        gate: &Gate,
    ) -> Result<SmtpReply, SmtpError> {
        self.check(mail)?;
        self.mails += 1;
        self.answered = false;
        self.clean = false;
        self.meter.reset(true);
        entry.set_connection(self.ends.local, self.ends.peer, &self.meter);
        self.announce(mail, pace, entry).await?;
        gate.pass().await?;
        self.meter.hand_over();
        let until = pace.until(FINAL_REPLY);
        if let Err(error) = self.channel.write(&mail.data, until).await {
            return Err(self.after(error).into());
        }
        match self.channel.reply(until).await {
            Ok(reply) if reply.is_success() => {
                self.clean = true;
                entry.set_status(reply.code);
                Ok(reply.told())
            }
            Ok(reply) if reply.code >= 400 => {
                self.clean = !reply.is(421);
                entry.set_status(reply.code);
                Err(SmtpError::of(reply.told()))
            }
            Ok(_) => Err(EgressError::Interrupted.into()),
            Err(error) => Err(self.after(error).into()),
        }
    }

    /// Whether the message was handed over decides what the end of a session means.
    fn after(&self, error: EgressError) -> EgressError {
        match self.meter.complete() {
            true => EgressError::Interrupted,
            false => error,
        }
    }

    /// Whether the server offers what the message needs.
    fn check(&self, mail: &Mail) -> Result<(), EgressError> {
        let offers = &self.offers;
        let missing = if mail.utf8 && !offers.utf8 {
            "the server does not take addresses or headers outside ASCII (SMTPUTF8)"
        } else if mail.eight_bit && !offers.eight_bit {
            "the server does not take text outside ASCII (8BITMIME)"
        } else if offers.size_max.is_some_and(|max| mail.size > max) {
            "the message is larger than the server takes (SIZE)"
        } else {
            return Ok(());
        };
        Err(EgressError::Invalid(missing.to_owned()))
    }

    /// The envelope, up to the server's asking for the message.
    async fn announce(
        &mut self,
        mail: &Mail,
        pace: &Pace,
        entry: &Entry<'_>,
    ) -> Result<(), SmtpError> {
        let mut commands = vec![self.mail_command(mail)];
        commands.extend(mail.to.iter().map(|path| format!("RCPT TO:<{path}>")));
        // With one recipient `DATA` may come along: the server refuses it with the recipient. With
        // several it could go on without some of them.
        let together = self.offers.pipelining && mail.to.len() == 1;
        if together {
            commands.push("DATA".to_owned());
        }
        let mut replies = self.exchange(&commands, pace).await?;
        let asked = replies.len() == commands.len();
        let data = match together && asked {
            true => replies.pop(),
            false => None,
        };
        let mut envelope = replies.into_iter().enumerate();
        if let Some((place, refused)) = envelope.find(|(_, reply)| !reply.is_success()) {
            let waits = data.is_some_and(|data| data.is(354));
            let error = self.refused(&refused, waits, pace, entry).await;
            return Err(if place == 0 { error.of_sender() } else { error });
        }
        let data = match data {
            Some(data) => data,
            None => {
                let mut replies = self.exchange(&["DATA".to_owned()], pace).await?;
                replies
                    .pop()
                    .ok_or_else(|| EgressError::Connect("no reply".to_owned()))?
            }
        };
        match data.is(354) {
            true => Ok(()),
            false => Err(self.refused(&data, false, pace, entry).await),
        }
    }

    fn mail_command(&self, mail: &Mail) -> String {
        let mut command = format!("MAIL FROM:<{}>", mail.from);
        if self.offers.size {
            command.push_str(&format!(" SIZE={}", mail.size));
        }
        if mail.eight_bit && self.offers.eight_bit {
            command.push_str(" BODY=8BITMIME");
        }
        if mail.utf8 {
            command.push_str(" SMTPUTF8");
        }
        command
    }

    /// Commands and their replies: all in one write where the server offers that, else one after the
    /// other up to the first that is refused.
    async fn exchange(
        &mut self,
        commands: &[String],
        pace: &Pace,
    ) -> Result<Vec<Reply>, EgressError> {
        let mut replies = Vec::with_capacity(commands.len());
        let at_once = match self.offers.pipelining {
            true => commands.len(),
            false => 1,
        };
        for group in commands.chunks(at_once.max(1)) {
            let until = pace.command();
            let lines = group.join("\r\n") + "\r\n";
            self.channel.write(lines.as_bytes(), until).await?;
            for _ in group {
                let reply = self.channel.reply(until).await?;
                self.answered |= !reply.is(421);
                let closing = reply.is(421);
                let refused = reply.code >= 400;
                replies.push(reply);
                if closing || (refused && at_once == 1) {
                    return Ok(replies);
                }
            }
        }
        Ok(replies)
    }

    /// Notes a refusal and clears the envelope for the next message. A server that `waits` for the
    /// message is left: whatever it got next, it could deliver.
    async fn refused(
        &mut self,
        reply: &Reply,
        waits: bool,
        pace: &Pace,
        entry: &Entry<'_>,
    ) -> SmtpError {
        // A 2yz to `DATA` breaks the protocol: it is no yes to a message, and the session is left.
        if reply.code < 400 {
            return SmtpError::of(reply.told());
        }
        entry.set_status(reply.code);
        if !waits && !reply.is(421) {
            let reset = self.channel.command("RSET", pace.command()).await;
            self.clean = reset.is_ok_and(|reply| reply.is(250));
        }
        SmtpError::of(reply.told())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_30_s_for_a_reply_and_60_s_for_the_last_within_the_sends_own_time() {
        let now = Instant::now();
        let seconds = |until: Instant| until.duration_since(now).as_secs();
        let pace = |reply, own| Pace {
            reply,
            deadline: now + Duration::from_secs(own),
        };
        assert_eq!(seconds(pace(None, 90).command()), 30);
        assert_eq!(seconds(pace(None, 90).until(FINAL_REPLY)), 60);
        assert_eq!(seconds(pace(None, 7).until(FINAL_REPLY)), 7);
        let asked = Some(Duration::from_secs(5));
        assert_eq!(seconds(pace(asked, 90).command()), 5);
    }
}
