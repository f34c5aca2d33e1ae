/** What apt says when something goes wrong, in the words of apt 2.6 and 3.0 (Debian 12 and 13), taken apart. */
import assert from "node:assert/strict";
import test from "node:test";
import { complaintsIn, diskErrorIn, networkTroubleIn } from "../../src/guests/apt/apt-words.js";

const FAILED = "W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease ";

test("apt's words: a network that is at fault is told by its host, in plain words", () => {
  const cases: [string, string, string][] = [
    ["Temporary failure resolving 'deb.debian.org'", "deb.debian.org", "its name cannot be resolved"],
    ["Could not resolve 'deb.debian.org'", "deb.debian.org", "its name cannot be resolved"],
    [
      "Could not connect to deb.debian.org:80 (192.0.2.1). - connect (111: Connection refused)",
      "deb.debian.org",
      "connection refused",
    ],
    [
      "Cannot initiate the connection to deb.debian.org:80 (2001:db8::1). - connect (101: Network is unreachable) " +
        "Could not connect to deb.debian.org:80 (192.0.2.1), connection timed out",
      "deb.debian.org",
      "no answer",
    ],
    ["Unable to connect to deb.debian.org:http:", "deb.debian.org", "no way to it"],
    ["Connection timed out [IP: 192.0.2.1 80]", "deb.debian.org", "Connection timed out"],
    [
      "Error reading from server - read (104: Connection reset by peer) [IP: 192.0.2.1 80]",
      "deb.debian.org",
      "Error reading from server - read (104: Connection reset by peer)",
    ],
    ["503  Service Unavailable [IP: 192.0.2.1 80]", "deb.debian.org", "it answers 503 Service Unavailable"],
    ["407  Proxy Authentication Required", "deb.debian.org", "it answers 407 Proxy Authentication Required"],
  ];
  for (const [words, host, why] of cases) {
    assert.deepEqual(networkTroubleIn(["N: something else", `${FAILED} ${words}`]), { host, why }, words);
  }
});

test("apt's words: a host on the way is told with the one behind it; passwords in addresses are not", () => {
  const refused = "Could not connect to proxy.example:3128 (192.0.2.9). - connect (111: Connection refused)";
  assert.deepEqual(networkTroubleIn([`${FAILED} ${refused}`]), {
    host: "proxy.example:3128",
    why: "connection refused",
    towards: "deb.debian.org",
  });
  const secret = "W: Failed to fetch https://user:secret@archive.example:8443/x  Connection failed";
  assert.deepEqual(networkTroubleIn([secret]), { host: "archive.example:8443", why: "Connection failed" });
});

test("apt's words: what the network is not to blame for stays apt's own words", () => {
  for (const words of [
    "404  Not Found [IP: 192.0.2.1 80]",
    "Hash Sum mismatch",
    "Error writing to file - write (28: No space left on device) [IP: 192.0.2.1 80]",
    "File not found - /srv/pool/Packages (2: No such file or directory)",
  ]) {
    assert.equal(networkTroubleIn([`${FAILED} ${words}`]), undefined, words);
  }
});

test("apt's words: a disk that is full, over quota or read-only is told by the system's name of it", () => {
  const full = "E: Write error - write (28: No space left on device)";
  assert.equal(diskErrorIn(["W: nothing", full]), "ENOSPC");
  assert.equal(diskErrorIn([`${FAILED} Error writing to file - write (122: Disk quota exceeded)`]), "EDQUOT");
  assert.equal(diskErrorIn(["E: Could not open lock file (30: Read-only file system)"]), "EROFS");
  assert.equal(
    diskErrorIn([`${FAILED} connect (111: Connection refused)`, "E: (99999: nothing)"]),
    undefined,
  );
  assert.deepEqual(complaintsIn(`Reading package lists...\nN: a note\n${full}\n  more\n`), [full]);
});
