# SPDX-License-Identifier: Apache-2.0
"""The TLS part that the interpreters' own test_smtplib lacks: SMTP over TLS, and STARTTLS.

Runs with whatever `ssl` is at that moment, so that it has a baseline like any other suite.
"""

from __future__ import absolute_import

import os
import smtplib
import socket
import ssl
import threading
import unittest

import test

TIMEOUT = 30


def certificate():
    """A certificate for "localhost" with its key, of the interpreter's own suite."""
    directory = os.path.dirname(os.path.abspath(test.__file__))
    paths = [os.path.join(directory, *place) for place in (("certdata", "keycert.pem"), ("keycert.pem",))]
    return [path for path in paths if os.path.exists(path)][0]


class Server(threading.Thread):
    """Serves one client: enough of SMTP (RFC 5321, RFC 3207) for one message."""

    def __init__(self, implicit):
        threading.Thread.__init__(self)
        self.daemon = True
        self.received, self.problem = [], None
        self._implicit = implicit
        self._context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_SERVER", ssl.PROTOCOL_SSLv23))
        self._context.load_cert_chain(certificate())
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(1)
        self._listener.settimeout(TIMEOUT)
        self.port = self._listener.getsockname()[1]

    def run(self):
        try:
            connection, _ = self._listener.accept()
            connection.settimeout(TIMEOUT)
            self._serve(self._secured(connection) if self._implicit else connection)
        except Exception as error:
            self.problem = error
        finally:
            self._listener.close()

    def _secured(self, connection):
        return self._context.wrap_socket(connection, server_side=True)

    def _serve(self, connection):
        connection.sendall(b"220 ready\r\n")
        while True:
            line = self._line(connection)
            verb = line.split(b" ")[0].upper()
            if verb == b"EHLO":
                connection.sendall(b"250-here\r\n250 STARTTLS\r\n")
            elif verb == b"STARTTLS":
                connection.sendall(b"220 go ahead\r\n")
                connection = self._secured(connection)
            elif verb == b"DATA":
                connection.sendall(b"354 end with a dot\r\n")
                while line != b".":
                    line = self._line(connection)
                    self.received.append(line)
                connection.sendall(b"250 accepted\r\n")
            elif verb == b"QUIT":
                connection.sendall(b"221 bye\r\n")
                connection.close()
                return
            else:
                connection.sendall(b"250 ok\r\n")

    def _line(self, connection):
        line = b""
        while not line.endswith(b"\r\n"):
            octet = connection.recv(1)
            if not octet:
                raise EOFError("the client has gone")
            line += octet
        return line[:-2]


class TLSTests(unittest.TestCase):
    def start(self, implicit):
        server = Server(implicit)
        server.start()
        self.addCleanup(server.join, TIMEOUT)
        return server

    def deliver(self, client, server):
        client.sendmail("from@example.org", ["to@example.org"], "Subject: TLS\r\n\r\nover TLS\r\n")
        client.quit()
        server.join(TIMEOUT)
        self.assertIsNone(server.problem)
        self.assertIn(b"over TLS", server.received)

    def context(self):
        """A client's context that verifies the server."""
        context = ssl.create_default_context(cafile=certificate())
        self.assertEqual(context.verify_mode, ssl.CERT_REQUIRED)
        return context

    def test_message_over_implicit_tls(self):
        server = self.start(implicit=True)
        arguments = {} if str is bytes else {"context": self.context()}
        client = smtplib.SMTP_SSL("localhost", server.port, timeout=TIMEOUT, **arguments)
        self.assertTrue(client.sock.cipher())
        self.deliver(client, server)

    def test_message_over_starttls(self):
        server = self.start(implicit=False)
        client = smtplib.SMTP("localhost", server.port, timeout=TIMEOUT)
        client.ehlo()
        self.assertTrue(client.has_extn("starttls"))
        arguments = {} if str is bytes else {"context": self.context()}
        client.starttls(**arguments)
        self.deliver(client, server)

    @unittest.skipIf(str is bytes, "2.7's smtplib takes no context and so verifies nothing")
    def test_wrong_host_name_is_refused(self):
        server = self.start(implicit=True)
        with self.assertRaises(ssl.CertificateError):
            smtplib.SMTP_SSL("127.0.0.1", server.port, timeout=TIMEOUT, context=self.context())
        server.join(TIMEOUT)
        self.assertEqual(server.received, [])
