import type { Connector, Content, Failure, HttpRequest, HttpResponse, Message } from "./index.js";

/** What differs from `message()`'s own message. */
export interface MessageFields {
  recipient?: string;
  usageType?: string;
  /** A JSON object, or its text. */
  payload?: object | string;
  locale?: string;
  clientIp?: string;
  content?: Partial<Content>;
  idempotencyKey?: string;
  expiresIn?: number;
}

/** A sign-in code `123456` for `alice@example.net`, unless `fields` says otherwise. */
export function message(fields?: MessageFields): Message;
/** A mail with a text of its own, as HTML and as plain text. */
export function mailWithText(fields?: Partial<Content>): Message;
/** A template with these fields for each usage type that every list must serve. */
export function templatesOf<Fields extends object>(
  fields: Fields,
): (Fields & { usageType: string })[];
/** A response; an object as its body is sent as JSON. */
export function respond(
  status: number,
  headers?: Record<string, string>,
  body?: string | object,
): HttpResponse;

/** An error of the host's `http`. */
export type HttpError =
  | "denied"
  | "invalid-request"
  | "dns"
  | "connect"
  | "tls"
  | "timeout"
  | "interrupted"
  | "response-too-large";

/** What came of a send: the request that was made, and the receipt or the failure. */
export interface Sent {
  request?: HttpRequest & {
    url: string;
    method: string;
    headers: [string, string][];
    body: string | Uint8Array;
  };
  receipt?: { providerMessageId: string | undefined; detail: string | undefined };
  failure?: Failure;
}

/** Sends a message, once, to a provider that answers with `response` or is not reached. */
export function send(
  connector: Connector,
  settings: object | string,
  message: Message,
  response?: HttpResponse | HttpError,
): Promise<Sent>;

/** A recorded case: see `sendbox connector replay`. */
export interface Case {
  id: string;
  settings: object;
  [field: string]: unknown;
}

/** The cases of a file, one JSON object a line. */
export function readCases(file: string | URL): Case[];
/** Checks the AWS Signature Version 4 of a request; throws where it has none, or another one. */
export function verify(request: NonNullable<Sent["request"]>, secret: string): void;
/** Replays cases, and returns in words what differs from what they expect. */
export function replay(
  connector: Connector,
  cases: Case[],
  deviations?: Record<string, string>,
): Promise<string[]>;
/** Checks what a connector and the files of its project's folder say of it against the contract. */
export function checkAbout(connector: Connector, folder: URL): void;
