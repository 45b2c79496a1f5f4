// Header fields (RFC 5322), encoded words (RFC 2047) and bodies (RFC 2045) as lines that every server takes.

import { oneLine } from "./failure.js";

const ENCODER = new TextEncoder();

/** Where a field is folded: two before RFC 5322 asks for it (2.1.1), for encoded words (RFC 2047, 2). */
const WIDTH = 76;

/** Letters of an encoded word around its base64. */
const FRAME = "=?utf-8?B??=".length;

/** Letters of base64 in the longest encoded word: 75 (RFC 2047, 2) without its frame, in whole groups. */
const LONGEST_WORD = 60;

/** The longest line of a body that should be sent as it is (RFC 5322, 2.1.1). */
const PLAIN_LINE = 78;

/** Bytes that make a line of 76 letters of base64, the longest there may be (RFC 2045, 6.8). */
const BYTES_OF_LINE = 57;

/** The field of that name, its words on as many lines as they need. */
export function field(name, words) {
  const first = `${name}:`;
  const lines = [];
  let line = first;
  for (const word of words) {
    // The first word stays beside the field's name: some readers lose a name alone.
    if (line.length + 1 + word.length > WIDTH && line !== first) {
      lines.push(line);
      line = "";
    }
    line += ` ${word}`;
  }
  return [...lines, line, ""].join("\r\n");
}

/** The words of an unstructured field, encoded where a reader would not read back the text itself. */
export function textWords(name, text) {
  const line = oneLine(text);
  return plainWords(name, line, line) ?? encodedWords(name, line);
}

/** The words of a display name: in quotes, or encoded. */
export function nameWords(name, text) {
  const line = oneLine(text);
  if (!line) return [];
  const quoted = `"${line.replace(/["\\]/g, "\\$&")}"`;
  return plainWords(name, line, quoted) ?? encodedWords(name, line);
}

/** The words of `written`, unless a reader of the folded field would make another text of them. */
function plainWords(name, text, written) {
  if (!/^[\u0020-\u007e]*$/.test(text) || text.includes("=?")) return undefined;
  if (text.split(" ").includes("")) return undefined;
  const words = written.split(" ");
  return words.every((word) => word.length <= roomOf(name)) ? words : undefined;
}

/** Letters that fit behind a field's name. */
function roomOf(name) {
  return WIDTH - `${name}: `.length;
}

/** The text in encoded words of whole characters. A reader drops what is between them. */
function encodedWords(name, text) {
  const words = [];
  let word = "";
  let room = roomOf(name) - FRAME;
  for (const character of text) {
    const longer = base64(word + character);
    if (word && longer.length > Math.min(room, LONGEST_WORD)) {
      words.push(word);
      word = "";
      room = LONGEST_WORD;
    }
    word += character;
  }
  if (word) words.push(word);
  return words.map((part) => `=?utf-8?B?${base64(part)}?=`);
}

/** One body behind the fields that say how to read it. Every line ends with CRLF. */
export function part(contentType, text) {
  const body = text.replace(/\r\n?|\n/g, "\r\n");
  const isShort = (line) => line.length <= PLAIN_LINE;
  const plain = /^[\t\r\n\u0020-\u007e]*$/.test(body) && body.split("\r\n").every(isShort);
  return (
    field("Content-Type", [`${contentType};`, "charset=utf-8"]) +
    field("Content-Transfer-Encoding", [plain ? "7bit" : "base64"]) +
    `\r\n${plain ? `${body}\r\n` : base64Lines(body)}`
  );
}

function base64Lines(text) {
  const bytes = ENCODER.encode(text);
  const lines = [];
  for (let at = 0; at < bytes.length; at += BYTES_OF_LINE) {
    lines.push(`${base64OfBytes(bytes.subarray(at, at + BYTES_OF_LINE))}\r\n`);
  }
  return lines.join("");
}

function base64(text) {
  return base64OfBytes(ENCODER.encode(text));
}

/** For at most a line's bytes: each is an argument of a call. */
function base64OfBytes(bytes) {
  return btoa(String.fromCharCode(...bytes));
}
