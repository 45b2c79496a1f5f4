"""A mail server on loopback that deviates as its arguments say: certificate, key, then deviations.

Prints its port, then one JSON object for each message that it took. Ends with its standard input.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

certificate, key, *deviations = sys.argv[1:]
TOKEN = "dXNlcj1hcGlrZXkBYXV0aD1CZWFyZXIgZ29vZC10b2tlbgEB"


class Handler:
    seen = set()

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        if "no-8bitmime" in deviations:
            responses.remove("250-8BITMIME")
        if session.ssl and "odd-offers" in deviations:
            responses[1:1] = ["250-X-ODD a=b ;", "250-", "250-size", "250-AUTH"]
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        if "greylists" in deviations and address not in self.seen:
            self.seen.add(address)
            return "451 4.7.1 Greylisted, come back later"
        if "odd-refusal" in deviations:
            return "550-5.1.1 no\r\n550-4.2.2 such\r\n550 user"
        if "full" in deviations:
            return "452 5.7.999 quota"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if "drops-at-dot" in deviations:
            server.transport.abort()
            return "250 lost"
        taken = {
            "name": session.host_name,
            "peer": session.peer[0],
            "tls": bool(session.ssl),
            "user": session.auth_data,
            "from": envelope.mail_from,
            "options": envelope.mail_options,
            "to": envelope.rcpt_tos,
            "data": envelope.content.decode(),
        }
        print(json.dumps(taken, default=str), flush=True)
        if "odd-thanks" in deviations:
            return "250-2.0.0 taken\r\n250-\r\n250 9.9.9 odd"
        return "250 2.0.0 taken"

    async def auth_XOAUTH2(self, server, args):
        if args[1:] == [TOKEN]:
            return AuthResult(success=True, auth_data="apikey")
        await server.challenge_auth("eyJzdGF0dXMiOiI0MDEifQ==", encode_to_b64=False)
        return AuthResult(success=False, handled=False)


class Deviant(SMTP):
    async def smtp_DATA(self, arg):
        if "drops-at-data" in deviations:
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


def accepts(server, session, envelope, mechanism, data):
    good = getattr(data, "login", None) == b"apikey" and data.password == "p@ss wörd".encode()
    return AuthResult(success=good, auth_data="apikey")


def protocol():
    context = None
    if "no-starttls" not in deviations:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    return Deviant(
        Handler(),
        tls_context=context,
        authenticator=accepts,
        auth_require_tls="auth-in-clear" not in deviations,
        enable_SMTPUTF8="smtputf8" in deviations,
        data_size_limit=100 if "small" in deviations else 1_000_000,
        hostname="deviant.test",
    )


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())
