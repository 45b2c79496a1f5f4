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

function bare(text) {
  return withoutControls(text.replace(/[<>]/g, ""));
}
