// Senders, as Logto's connector kit reads and writes them: `Name <address>`, never quoted.

/** A mail address, and the name that stands before it. */
export class Mailbox {
  /** Both parts lose what would end a header or an address. */
  constructor(address, name = "") {
    this.address = bare(address);
    this.name = bare(name);
  }

  /**
   * Reads `Name <address>`, an address alone, or a display name alone, which keeps the given mailbox's
   * address. An empty text is the given mailbox.
   */
  static parse(text, own = new Mailbox("")) {
    const line = withoutControls(text);
    const [name, address] = split(line);
    if (address !== undefined) return new Mailbox(bare(address) || own.address, name);
    if (!line) return own;
    if (line.includes("@") && !/\s/.test(line)) return new Mailbox(line);
    return new Mailbox(own.address, line);
  }

  /**
   * `parse` of a text with variables. It is read first and filled in then, and in the name alone: a value that
   * stands for an address, or a part of one, leaves the given mailbox's address in its place.
   */
  static filled(text, fill, own = new Mailbox("")) {
    const read = Mailbox.parse(text, own);
    if (!hasVariable(text)) return read;
    const name = bare(fill(read.name, words)) || own.name;
    return new Mailbox(hasVariable(read.address) ? own.address : read.address, name);
  }

  /** `Name <address>`, or the address alone. */
  toString() {
    return this.name ? `${this.name} <${this.address}>` : this.address;
  }
}

/** The text without control characters, trimmed: what a header takes. */
export function withoutControls(text) {
  return text.replace(/[\u0000-\u001f\u007f]/g, "").trim();
}

/** Name and address of `Name <address>`. The address begins at the first `<` behind any other `>`. */
function split(line) {
  if (!line.endsWith(">")) return [];
  const inner = line.slice(0, -1);
  const open = inner.indexOf("<", inner.lastIndexOf(">") + 1);
  return open < 0 ? [] : [inner.slice(0, open), inner.slice(open + 1)];
}

/** Whether a text has variables. */
export function hasVariable(text) {
  return text.includes("{{");
}

/** What means something in an address, ends a line or hides in it. */
const APART =
  /[\u0000-\u001f\u007f-\u009f\s<>()[\]\\,;:"@\uff20\ufe6b\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/u;

/** A value in a display name. */
function words(value) {
  return value.split(APART).filter(Boolean).join(" ");
}

function bare(text) {
  return withoutControls(text.replace(/[<>]/g, ""));
}
