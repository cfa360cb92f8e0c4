"""The slides of the talk: what they say and ask."""

from __future__ import annotations

from typing import Final

from .slide import Flow, Question, Slide, Table, code, points

__all__ = ["DECK"]

DECK: Final = (
    Slide(
        "title",
        "A talk from 2013, alive again",
        "Real time, over any wire",
        (
            points(
                "Events between browsers and Tornado, with Socket.IO and Redis",
                "This page **is** the talk: your slide turns when the speaker's does",
                "Say hello in the chat, and watch your own bytes on the wire",
            ),
        ),
        "Welcome. Ask everybody to open the page on their phone. Open the poll and wait for the first ten votes.",
        Question(
            "What did your first real-time feature use?",
            ("A refresh button", "Polling", "A forever-iframe", "WebSocket"),
        ),
    ),
    Slide(
        "transports",
        "Transports",
        "Four ways to reach a browser",
        (
            Table(
                ("Transport", "How it works", "Where it works"),
                (
                    ("`websocket`", "One socket, both ways, 2 to 14 bytes around a message", "Every browser since 2012"),
                    ("`polling`", "A GET that waits for news, a POST for each answer", "Through proxies that know only HTTP"),
                    ("`jsonp`", "A script tag that waits, a form that posts", "Across domains, without CORS"),
                    ("`htmlfile`", "A page that never ends: each event is one script", "Old browsers, without polling"),
                ),
            ),
        ),
        "Everyone: press the four buttons in the wire panel. The numbers at the top move as you switch.",
        Question(
            "Which one carries you best right now?",
            ("websocket", "polling", "jsonp", "htmlfile"),
        ),
    ),
    Slide(
        "events",
        "Events",
        "A name, some values, an answer",
        (
            code(
                "server.py",
                """
                sio = anywire.Server()

                @sio.event
                async def chat(sid, message):
                    await sio.emit("chat", message)
                    return "delivered"
                """,
            ),
            code(
                "browser.js",
                """
                var socket = io();

                socket.emit("chat", "hello", function (answer) {
                  show(answer);
                });
                """,
            ),
        ),
        "The return value is the acknowledgement. It works the same in both directions, and with binary inside.",
    ),
    Slide(
        "broadcast",
        "Broadcasting",
        "One call, everybody hears it",
        (
            code(
                "server.py",
                """
                await sio.emit("slide", {"index": 4})

                # everyone but the one who said it
                await sio.emit("chat", message, skip_sid=sid)
                """,
            ),
            points(
                "The event is encoded **once** and shared by every socket",
                "A slow client has a bounded queue of its own; nobody waits for it",
            ),
        ),
        "The slide you look at came this way.",
    ),
    Slide(
        "rooms",
        "Rooms",
        "Talk to some of them",
        (
            code(
                "server.py",
                """
                sio.enter_room(sid, "row 7")

                await sio.emit("coffee", to="row 7")
                await sio.emit("quiz", to=["row 7", "row 8"])
                """,
            ),
            points(
                "A room is only a name: it is there while someone is in it",
                "A client may be in many, and leaves all with its session",
            ),
        ),
        "Rooms work across processes too; that is the Redis slide.",
    ),
    Slide(
        "targets",
        "Single targets",
        "Just you",
        (
            code(
                "server.py",
                """
                await sio.emit("hint", "psst", to=sid)

                answer = await sio.call("ready?", to=sid, timeout=5)
                """,
            ),
            points(
                "Each client's `sid` is a room with one member",
                "`call` waits for the acknowledgement, or says why there is none",
            ),
        ),
        "Private messages, a kick, a question to one viewer.",
    ),
    Slide(
        "namespaces",
        "Namespaces",
        "Several doors, one connection",
        (
            code(
                "server.py",
                """
                @sio.on("connect", namespace="/speaker")
                async def connect(sid, environ, auth):
                    if not is_speaker(auth):
                        raise ConnectionRefusedError("wrong token")
                """,
            ),
            points(
                "The speaker's page joins `/` and `/speaker` on one socket",
                "Each has its own handlers, rooms and welcome",
            ),
        ),
        "My buttons are refused without the token. Invite someone to try /speaker.",
    ),
    Slide(
        "history",
        "Old data for new connections",
        "Late is fine",
        (
            code(
                "browser.js",
                """
                socket.on("connect", function () {
                  socket.emit("join", function (state) {
                    show(state.slide, state.chat, state.polls);
                  });
                });
                """,
            ),
            points(
                "Newcomers get the slide, the votes and the last 30 messages",
                "Scroll up in the chat: older pages come by acknowledgement",
                "Messages have ids, so a reconnect shows none of them twice",
            ),
        ),
        "Everyone scroll up in the chat. Then pull a cable.",
    ),
    Slide(
        "redis",
        "Integration",
        "Many processes, one server",
        (
            Flow(
                (
                    ("Browsers", "any transport"),
                    ("nginx", "shares them out"),
                    ("anywire × N", "sessions and rooms"),
                    ("Redis", "publish, subscribe"),
                )
            ),
            code(
                "server.py",
                """
                sio = anywire.Server(store="redis://localhost")
                """,
            ),
            points(
                "`emit`, rooms and single targets reach clients on every process",
            ),
        ),
        "One connection publishes and one subscribes per process. Stop Redis and start it again: it comes back by itself.",
        Question(
            "How many processes does your site run?",
            ("One", "Two to ten", "More", "Nobody knows"),
        ),
    ),
    Slide(
        "tls",
        "SSL",
        "Encrypt it, and it arrives",
        (
            code(
                "shell",
                """
                anywire serve app:sio \\
                    --certfile fullchain.pem --keyfile privkey.pem
                """,
            ),
            points(
                "Proxies that break `ws://` cannot look into `wss://`",
                "A page from `https://` may open nothing less",
                "Access tokens and cookies belong on TLS alone",
            ),
        ),
        "In 2013 mobile carriers broke plain WebSockets. TLS was, and is, the cure.",
    ),
    Slide(
        "origins",
        "Cross-domain",
        "Who may knock?",
        (
            code(
                "server.py",
                """
                sio = anywire.Server(
                    origins=["https://www.example.com"],
                )
                """,
            ),
            points(
                "Same origin is the default, on **every** transport",
                "Browsers do not stop a foreign page's WebSocket: the server must",
                "JSONP crosses domains by nature, so it is checked as well",
            ),
        ),
        "Cross-site WebSocket hijacking: cookies travel along, CORS does not apply.",
    ),
    Slide(
        "auth",
        "Authentication",
        "Cookie or token",
        (
            code(
                "cookie and session",
                """
                @sio.event
                async def connect(sid, environ, auth):
                    user = sio.signed_cookie(environ, "user")
                    if user is None:
                        raise ConnectionRefusedError("log in first")
                """,
            ),
            code(
                "access token",
                """
                var socket = io({
                  auth: { token: "..." }
                });
                """,
            ),
        ),
        "This page gave you a signed cookie: it is why you have one vote, however often you reconnect.",
    ),
    Slide(
        "proxies",
        "nginx and ELB",
        "What stands in between",
        (
            code(
                "nginx.conf",
                """
                location /socket.io/ {
                    proxy_pass http://anywire;
                    proxy_http_version 1.1;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $connection_upgrade;
                    proxy_buffering off;
                }
                """,
            ),
            points(
                "Heartbeats every 25 s stay below the usual 60 s idle limit",
                "The classic ELB passes WebSockets in TCP mode; the ALB knows them",
                "Polling needs sticky sessions until processes share them",
            ),
        ),
        "proxy_buffering off is for the forever-iframe: a stream that nginx collects is no stream.",
    ),
    Slide(
        "settings",
        "Settings",
        "Three that matter",
        (
            code(
                "server.py",
                """
                sio = anywire.Server(
                    store="redis://localhost",
                    transports=["websocket", "polling", "jsonp"],
                    authorization=check_ticket,
                )
                """,
            ),
            points(
                "`store`: where processes meet",
                "`transports`: what is offered, best first",
                "`authorization`: who gets a session at all",
            ),
        ),
        "Everything else has a default. Python keywords, environment and flags are one table.",
    ),
    Slide(
        "end",
        "Questions?",
        "Now build something live",
        (
            code(
                "shell",
                """
                make demo
                """,
            ),
            points(
                "The whole talk is in `server/demo/`, on nothing but the public API",
                "Ask in the chat. I am still here.",
            ),
        ),
        "Leave the poll open during the questions.",
        Question(
            "What will you bring to life first?",
            ("A chat", "A dashboard", "A game", "Something nobody has thought of"),
        ),
    ),
)
