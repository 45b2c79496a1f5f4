/// <reference path="./host.d.ts" />

/** What a message travels by. */
export type Channel = "email" | "sms";

/** The kinds of failure that the host knows how to treat. */
export type FailureKind =
  /** The settings cannot work; the message names the field. */
  | "invalid-settings"
  /** No template for the usage type, here or at the provider. */
  | "template-not-found"
  /** The recipient or the content is refused for good. */
  | "rejected"
  /** The credentials are refused. */
  | "unauthorized"
  /** Refused until later, because of a rate or quota. */
  | "throttled"
  /** Not accepted, and a later attempt may succeed. */
  | "unavailable"
  /** The provider may have accepted. */
  | "unknown";

/** A request to place one secret outside headers and credentials. An operator sees and approves it. */
export interface SecretGrant {
  /** JSON pointer of the secret in the settings, such as `/apiKey`. */
  setting: string;
  /** In the query of a URL. */
  query?: boolean;
  /** In a body. */
  body?: boolean;
  /** As key material for signing. */
  signing?: boolean;
}

/** What a connector says of itself. Version, settings schema and README come from the project's files. */
export interface About {
  /** Lower-case ASCII letters, digits and `-`. */
  id: string;
  channel: Channel;
  /** Names by BCP 47 tag; the first is the default. */
  titles: Record<string, string>;
  /** One-paragraph descriptions by BCP 47 tag. */
  descriptions: Record<string, string>;
  /** Hosts that it asks to reach: names, or `{settings:/pointer}`. */
  hosts?: string[];
  /** Where secrets may be placed besides headers and credentials. */
  secretGrants?: SecretGrant[];
}

/** The provider accepted the message. */
export interface Receipt {
  /** The provider's name for the message. */
  providerMessageId?: string | number | null | undefined;
  /** The provider's own words. */
  detail?: string | null | undefined;
}

/** What every connector says. */
interface Parts<Settings> {
  about: About;
  /** Reads the settings, as `object({ apiKey: text() })` does. */
  settings: Reader<Settings>;
}

/** A connector that describes one request; the host sends it. */
export interface RequestParts<Settings> extends Parts<Settings> {
  /** How a message becomes a request. May throw a `Failure`: nothing is sent. */
  request(settings: Settings, message: Message): HttpRequest | Promise<HttpRequest>;
  /** How a 2xx becomes a receipt. May throw a `Failure` where the provider says no inside a 2xx. */
  receipt?(response: HttpResponse): Receipt | void;
  /** How any other response becomes a failure; by its status code, unless the provider says more. */
  failure?(response: HttpResponse): Failure;
}

/** A connector that speaks to its provider itself, with `fetch`. */
export interface SendParts<Settings> extends Parts<Settings> {
  send(settings: Settings, message: Message): Promise<Receipt | void>;
}

/** A connector that is ready for the build and the test kit. */
export interface Connector {
  readonly about: About;
}

/** A connector: one provider, one channel. The default export of a project's entry. */
export function connector<Settings>(parts: RequestParts<Settings> | SendParts<Settings>): Connector;

/** Reads a value of the settings; throws `invalid-settings` with its path where it does not fit. */
export interface Reader<Value> {
  (value: unknown, path: string): Value;
}

/** The settings that a reader gives. */
export type Infer<R> = R extends Reader<infer Value> ? Value : never;

/** A text. */
export function text(): Reader<string>;
/** A text of at least one character. */
export function nonEmpty(): Reader<string>;
/** One of these texts. */
export function choice<const Text extends string>(...allowed: Text[]): Reader<Text>;
/** True or false. */
export function flag(): Reader<boolean>;
/** A number. */
export function number(): Reader<number>;
/** An absolute `https` or `http` URL, in canonical form and without its fragment. */
export function url(): Reader<string>;
/** A value that may be absent, and must not be null. */
export function optional<Value>(reader: Reader<Value>): Reader<Value | undefined>;
/** A list of values of one kind. */
export function list<Value>(reader: Reader<Value>): Reader<Value[]>;
/** An object with these fields; others are ignored. */
export function object<Fields extends Record<string, Reader<unknown>>>(
  fields: Fields,
): Reader<{ [Name in keyof Fields]: Infer<Fields[Name]> }>;

/** The usage types that there are. */
export const USAGE_TYPES: readonly string[];

/** A template list that serves at least Register, SignIn, ForgotPassword and Generic. */
export interface Templates<Entry> {
  /** The first template for the usage type, else the first for `Generic`; else `template-not-found`. */
  choose(usageType: string): Entry & { usageType: string };
  /** The first template for exactly this usage type; else `template-not-found`. */
  chooseExact(usageType: string): Entry & { usageType: string };
}

/** One e-mail template; HTML where its type is absent. */
export interface MailTemplate {
  subject: string;
  content: string;
  type?: string | undefined;
  contentType?: string | undefined;
}

/** E-mail templates. */
export interface MailTemplates extends Templates<MailTemplate> {
  /** The message's text with its variables filled in: the overriding one, else the template's. */
  text(message: Message): Content;
}

/** Templates of short messages. */
export interface TextTemplates extends Templates<{ content: string }> {
  /** The message's text with its variables filled in: the overriding one, else the template's. */
  text(message: Message): string;
}

/** Reads a template list whose entries have these fields beside `usageType`. */
export function templates<Fields extends Record<string, Reader<unknown>>>(
  fields: Fields,
): Reader<Templates<{ [Name in keyof Fields]: Infer<Fields[Name]> }>>;
/** Reads a list of e-mail templates. */
export function mailTemplates(): Reader<MailTemplates>;
/** Reads a list of templates of short messages. */
export function textTemplates(): Reader<TextTemplates>;

/** How a body is to be read. */
export type ContentType = "text/html" | "text/plain";

/** A text that is ready to be sent. */
export class Content {
  readonly subject: string;
  readonly body: string;
  readonly contentType: ContentType;
  /** Plain text of the same beside an HTML body. */
  readonly text: string | undefined;
  readonly replyTo: string | undefined;
  /** A display name, a mailbox, or `Name <mailbox>`. */
  readonly sendFrom: string | undefined;
  /** The body, where it is HTML. */
  get html(): string | undefined;
  /** The plain text, where there is one. */
  get plain(): string | undefined;
}

/** Template variables: a JSON object, its keys in the caller's order. */
export type Payload = Record<string, unknown>;

/** One message for one recipient. */
export class Message {
  /** E-mail address, or phone number as the caller gave it. */
  readonly recipient: string;
  /** One of the nine usage types, or a name that a connector treats as `Generic`. */
  readonly usageType: string;
  readonly payload: Payload;
  /** BCP 47 tag. */
  readonly locale: string | undefined;
  /** Address of the person that asked for the message. */
  readonly clientIp: string | undefined;
  /** The same over all attempts of one message; for providers that take one. */
  readonly idempotencyKey: string;
  /** Milliseconds until the message expires. */
  readonly expiresIn: number;
  /** The text that overrides the settings' templates, with its variables filled in. */
  get content(): Content | undefined;
  /** The settings' `unescapedHtml`: values stand in HTML as they are, markup included, as in Logto's own connectors. */
  readonly unescapedHtml: boolean;
  /** Where answers go, where the overriding text says so with an address of its own. */
  get replyTo(): string | undefined;
  /** The overriding text's body as plain text with its variables filled in, for short messages. */
  get plainBody(): string | undefined;
  /** The template, plain text, with this message's variables filled in as they are. */
  render(template: string): string;
  /** The template, HTML, with this message's variables filled in: a value is text there and never markup. */
  renderHtml(template: string): string;
  /** Who sends: the overriding text's `sendFrom`, else the settings' own mailbox. */
  sender(own: Mailbox): Mailbox;
}

/** A mail address, and the name that stands before it. */
export class Mailbox {
  constructor(address: string, name?: string);
  readonly address: string;
  /** Empty where there is none. */
  readonly name: string;
  /**
   * Reads `Name <address>`, an address alone, or a display name alone, which keeps the given mailbox's
   * address. An empty text is the given mailbox.
   */
  static parse(text: string, own?: Mailbox): Mailbox;
  /** `Name <address>`, or the address alone. */
  toString(): string;
}

/** Fields of a form or a query, in order; an undefined one is left out. */
export type Fields =
  | Record<string, string | number | boolean | undefined>
  | [name: string, value: string | number | boolean | undefined][];

/** One HTTP request. Each method changes it and returns it. */
export class HttpRequest {
  constructor(method: string, url: string | URL);
  /** Adds a header, its name in lower case. */
  header(name: string, value: string): this;
  /** Sends user and password in `authorization`, encoded by the host. */
  basic(user: string, password: string): this;
  /** Sends a token in `authorization`. */
  bearer(token: string): this;
  /** Sends a secret in a header of its own. */
  secretHeader(name: string, value: string): this;
  /** The value as JSON. */
  json(value: unknown): this;
  /** The fields as a form. */
  form(fields: Fields): this;
  /** A body of your own. */
  raw(body: string | Uint8Array, contentType: string): this;
  /** Milliseconds for the whole exchange; the send's deadline by default. */
  within(milliseconds: number): this;
}

/** A POST without headers or body. */
export function post(url: string | URL): HttpRequest;
/** A GET with the fields as its query. */
export function get(url: string | URL, query?: Fields): HttpRequest;

/** One buffered HTTP response. */
export class HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: [name: string, value: string][];
  readonly body: Uint8Array;
  /** When it arrived, in milliseconds since the Unix epoch. */
  readonly receivedAt: number;
  /** Whether the status code is 2xx. */
  get ok(): boolean;
  /** The first header of that lower-case name. */
  header(name: string): string | undefined;
  /** The body as text, without a byte order mark. */
  text(): string;
  /** The body as JSON, or undefined where it is none. */
  json(): any;
}

/** The whole of a response that `fetch` gave, in the SDK's form. */
export function buffered(response: Response): Promise<HttpResponse>;

/** What else a failure says. */
export interface FailureDetails {
  /** The provider's code, or a short one of the connector's; at most 64 bytes are kept. */
  code?: string | number | undefined;
  /** Milliseconds that the provider asks to wait. */
  retryAfter?: number | undefined;
  cause?: unknown;
}

/** Why a message was not accepted. Any other exception becomes one of kind `unknown`, with its message. */
export class Failure extends Error {
  constructor(kind: FailureKind, message: string, details?: FailureDetails);
  readonly kind: FailureKind;
  readonly code: string | undefined;
  readonly retryAfter: number | undefined;
  /** The settings' field cannot work, and why. */
  static invalidSettings(field: string, words: string): Failure;
  /** Neither the usage type nor `Generic` has a template. */
  static templateNotFound(usageType: string): Failure;
  /** What a response outside 2xx says by its status code, its `Retry-After` and its first words. */
  static ofResponse(response: HttpResponse): Failure;
  /** A 2xx without the answer that the provider's documents promise: it may have accepted. */
  static unreadable(response: HttpResponse): Failure;
  /** What the provider's own code and words stand for; the response's `Retry-After` is kept. */
  static ofProvider(
    response: HttpResponse,
    kind: FailureKind,
    code: string | number,
    words?: string,
  ): Failure;
}

/** The kinds of failure. */
export const FAILURE_KINDS: readonly FailureKind[];
/** What an HTTP status code outside 2xx says. */
export function kindOfStatus(status: number): FailureKind;
/** The text on one line. */
export function oneLine(text: string): string;
/** The text with the variables of a payload filled in. */
export function render(text: string, payload: Payload): string;
