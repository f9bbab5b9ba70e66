"""Mail servers for tests: what they were given is kept."""
import email
import email.policy
import html.parser
import socketserver
import ssl
import threading


class MailServer:
    """One port; `self.mails` are (sender, recipients, message). With `tls` (an ssl.SSLContext) it offers STARTTLS,
    and with `implicit` it speaks TLS from the first byte. `auth`: mechanisms it offers; logins are kept. `judge` is
    given each mail and says what it is answered; only those that are answered with 250 are kept."""

    def __init__(self, tls=None, implicit=False, auth="", judge=lambda *mail: "250 taken"):
        self.mails, self.logins, self.lock = [], [], threading.Lock()
        outer = self

        class Session(socketserver.BaseRequestHandler):
            def line(self):
                return self.file.readline().rstrip(b"\r\n").decode("utf-8", "replace")

            def say(self, text):
                self.sock.sendall(text.encode() + b"\r\n")

            def wrap(self):
                self.sock = tls.wrap_socket(self.sock, server_side=True)
                self.file, self.secure = self.sock.makefile("rb"), True

            def hello(self):
                more = ["STARTTLS"] if tls and not self.secure else []
                more += [f"AUTH {auth}"] if auth else []
                lines = ["mail.example"] + more
                for i, text in enumerate(lines):
                    self.say(f"250{'-' if i + 1 < len(lines) else ' '}{text}")

            def handle(self):
                self.sock, self.secure = self.request, False
                self.file = self.sock.makefile("rb")
                try:
                    if implicit:
                        self.wrap()
                    self.say("220 mail.example")
                    self.dialogue()
                except (OSError, ssl.SSLError):
                    pass

            def login(self, line):
                words = line.split(" ")[1:]
                if words[0].upper() == "PLAIN" and len(words) == 1:
                    self.say("334 ")
                    words.append(self.line())
                elif words[0].upper() == "LOGIN":
                    for prompt in ("VXNlcm5hbWU6", "UGFzc3dvcmQ6")[len(words) - 1:]:
                        self.say("334 " + prompt)
                        words.append(self.line())
                elif words[0].upper() == "CRAM-MD5":
                    self.say("334 PDEuMkB4Pg==")
                    words.append(self.line())
                outer.logins.append((self.secure, words))
                self.say("235 in")

            def dialogue(self):
                sender, to = None, []
                while True:
                    line = self.line()
                    word = line.split(" ")[0].upper()
                    if word in ("", "QUIT"):
                        self.say("221 bye")
                        return
                    if word in ("EHLO", "HELO"):
                        self.hello()
                    elif word == "STARTTLS":
                        self.say("220 go on")
                        self.wrap()
                    elif word == "AUTH":
                        self.login(line)
                    elif word == "DATA":
                        self.say("354 go on")
                        lines = []
                        while (text := self.file.readline()) != b".\r\n":
                            if not text:
                                return  # the client is gone
                            lines.append(text[1:] if text.startswith(b".") else text)
                        answer = judge(sender, to, b"".join(lines))
                        if answer.startswith("250"):
                            with outer.lock:
                                outer.mails.append((sender, to, b"".join(lines)))
                        to = []
                        self.say(answer)
                    else:
                        address = line[line.find("<") + 1:line.find(">")]
                        sender, to = (address, to) if word == "MAIL" else (sender, to + [address])
                        self.say("250 ok")

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = allow_reuse_address = True

            def handle_error(self, *args):
                pass  # clients that give up

        self.server = Server(("127.0.0.1", 0), Session)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def taken(self):
        with self.lock:
            return list(self.mails)


class _Visible(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.words, self.hidden = [], 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("title", "style")
        if tag == "a":
            self.words.append("<" + dict(attrs).get("href", "") + ">")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("title", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.words += data.split()


def visible(text):
    """What people see of HTML, and where its links go, in words."""
    p = _Visible()
    p.feed(text)
    return p.words


def parts(message):
    """({header: value}, {type: text}) of a mail."""
    m = email.message_from_bytes(message, policy=email.policy.default)
    bodies = {p.get_content_type(): p.get_content() for p in m.walk() if not p.is_multipart()}
    return {k: str(v) for k, v in m.items()}, bodies
