"""A device of Python's own library: http.client, one connection, as Google's sample spoke (URL-safe base64, snake_case).

usage: device.py HOST PORT CA PATH < token; prints one line per answer: status, then the body's JSON on one line.
"""
import base64
import http.client
import json
import ssl
import sys

host, port, ca, path = sys.argv[1:5]
headers = {
    "authorization": "Bearer " + sys.stdin.read().strip(),
    "content-type": "application/json",
    "cache-control": "no-cache",
}
connection = http.client.HTTPSConnection(
    host, int(port), context=ssl.create_default_context(cafile=ca), timeout=20
)


def call(method, suffix, body=None):
    connection.request(method, path + suffix, body=body and json.dumps(body), headers=headers)
    answer = connection.getresponse()
    print(answer.status, json.dumps(json.loads(answer.read())))


data = base64.urlsafe_b64encode(b"\xfb\xff from python").decode()
call("POST", ":publishEvent", {"binary_data": data})
call("POST", ":setState", {"state": {"binary_data": data}})
call("GET", "/config?local_version=0")
