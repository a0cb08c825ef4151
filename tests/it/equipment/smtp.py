"""An SMTP server on loopback: says its port, then each mail that it takes, as a line of JSON.

Refuses the first mail for now if the first argument is "busy". Wants user `sw` and password
`smtp-secret` if it is "auth"."""
import asyncio
import email
import email.policy
import json
import sys

from aiosmtpd.smtp import SMTP, AuthResult

MODE = sys.argv[1] if len(sys.argv) > 1 else ""


class Handler:
    def __init__(self):
        self.refused = MODE != "busy"

    async def handle_DATA(self, server, session, envelope):
        if not self.refused:
            self.refused = True
            print(json.dumps({"refused": True}), flush=True)
            return "451 come again later"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        files = [
            {"name": part.get_filename(), "type": part.get_content_type(), "text": part.get_content()}
            for part in message.iter_attachments()
        ]
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": dict(message.items()),
            "text": message.get_body().get_content(),
            "files": files,
        }
        print(json.dumps(told), flush=True)
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"sw", b"smtp-secret"))


def session():
    if MODE == "auth":
        return SMTP(HANDLER, authenticator=authenticate, auth_required=True, auth_require_tls=False)
    return SMTP(HANDLER)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


HANDLER = Handler()
asyncio.run(main())
