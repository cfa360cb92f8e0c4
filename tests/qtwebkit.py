"""/usr/bin/python3 qtwebkit.py URL: a page in QtWebKit (WebKit 602.1, 2016) until it is killed. Debian's Python has it, ours does not."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
from PyQt5.QtCore import QSize, QUrl
from PyQt5.QtWebKitWidgets import QWebPage
from PyQt5.QtWidgets import QApplication


class Page(QWebPage):
    def javaScriptConsoleMessage(self, text: str, line: int, source: str) -> None:
        print(f"{source}:{line}: {text}", flush=True)


application = QApplication(sys.argv[:1])
page = Page()
# A page without a size shows none of its frames, and timers in frames that nobody sees are held back to one a second.
page.setViewportSize(QSize(1366, 768))
page.mainFrame().load(QUrl(sys.argv[1]))
application.exec_()
