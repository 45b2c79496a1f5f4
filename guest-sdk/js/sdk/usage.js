// Which template serves a message: usage types, and the fallback to `Generic`.

import { Failure } from "./failure.js";
import { also, list, object, optional, text } from "./settings.js";

/** The usage types that there are. */
export const USAGE_TYPES = [
  "SignIn",
  "Register",
  "ForgotPassword",
  "OrganizationInvitation",
  "Generic",
  "UserPermissionValidation",
  "BindNewIdentifier",
  "MfaVerification",
  "BindMfa",
];

/** The usage types that every template list must serve. */
export const REQUIRED = ["Register", "SignIn", "ForgotPassword", "Generic"];

/** The usage type that stands in for every one without a template of its own. */
const GENERIC = "Generic";

/** A template list that serves at least the required usage types. */
export class Templates {
  constructor(entries) {
    this.entries = entries;
  }

  /** The first template for the usage type, else the first for `Generic`. */
  choose(usageType) {
    return this.#first(usageType) ?? this.#first(GENERIC) ?? missing(usageType);
  }

  /** The first template for exactly this usage type. */
  chooseExact(usageType) {
    return this.#first(usageType) ?? missing(usageType);
  }

  #first(usageType) {
    return this.entries.find((entry) => entry.usageType === usageType);
  }
}

/** E-mail templates: `subject`, `content`, and `type` or `contentType`, HTML where both are absent. */
export class MailTemplates extends Templates {
  /** The message's text with its variables filled in: the overriding one, else the template's. */
  text(message) {
    if (message.content) return message.content;
    const { subject, content, type, contentType } = this.choose(message.usageType);
    const media = type ?? contentType ?? "text/html";
    return message.fill({ subject, body: content, contentType: media });
  }
}

/** Templates of short messages: `content` is the text. */
export class TextTemplates extends Templates {
  /** The message's text with its variables filled in: the overriding one, else the template's. */
  text(message) {
    if (message.plainBody !== undefined) return message.plainBody;
    return message.render(this.choose(message.usageType).content);
  }
}

/** Reads a template list whose entries have these fields beside `usageType`. */
export function templates(fields) {
  return reader(fields, Templates);
}

/** Reads a list of e-mail templates. */
export function mailTemplates() {
  const media = optional(
    also(text(), (type) =>
      type === "text/html" || type === "text/plain"
        ? undefined
        : "expected text/html or text/plain",
    ),
  );
  return reader(
    { subject: text(), content: text(), type: media, contentType: media },
    MailTemplates,
  );
}

/** Reads a list of templates of short messages. */
export function textTemplates() {
  return reader({ content: text() }, TextTemplates);
}

function reader(fields, List) {
  const entries = also(list(object({ usageType: text(), ...fields })), (read) => {
    const served = new Set(read.map((entry) => entry.usageType));
    const absent = REQUIRED.filter((usageType) => !served.has(usageType));
    return absent.length ? `no template for ${absent.join(", ")}` : undefined;
  });
  return (value, path) => new List(entries(value, path));
}

function missing(usageType) {
  throw Failure.templateNotFound(usageType);
}
