/** A mail server and how to speak to it. What is undefined is the host's choice. */
export interface Server {
  host: string;
  port: number;
  /**
   * TLS from the first byte, STARTTLS required, STARTTLS where the server offers it (credentials never
   * leave in clear), or plain text where the operator allows it.
   */
  security: "tls" | "starttls" | "opportunistic" | "none";
  /** Name in the certificate, where it is not `host`. */
  serverName?: string | undefined;
  /** None where the server wants no login. Password and token may be placeholders. */
  auth?: Login | AccessToken | undefined;
  /** EHLO name; the egress source's by default. */
  name?: string | undefined;
  /** One of the tenant's egress sources, by address. */
  localAddress?: string | undefined;
  /** Milliseconds, capped by the send's deadline. */
  connectTimeout?: number | undefined;
  /** Milliseconds for each reply, capped by the send's deadline. */
  commandTimeout?: number | undefined;
}

/** User and password. */
export interface Login {
  user: string;
  password: string;
  /** The best that the server offers by default. */
  mechanism?: "PLAIN" | "LOGIN" | "CRAM-MD5" | undefined;
}

/** User and OAuth 2 access token (XOAUTH2). */
export interface AccessToken {
  user: string;
  token: string;
}

/** Where a mail comes from and goes to: addresses without names and angle brackets. */
export interface Envelope {
  /** Empty for the null path. */
  mailFrom: string;
  /** 1 to 10. */
  rcptTo: string[];
}

/** What a server answered. */
export interface Reply {
  /** Reply code (RFC 5321). */
  code: number;
  /** Enhanced status code (RFC 3463), such as `5.1.1`. */
  enhanced?: string | undefined;
  text: string;
}

/**
 * Submits one mail (RFC 5322 text, at most 1 MiB) to all recipients of the envelope or to none. Throws a
 * `Failure` where it is not taken: `unknown` where it may have been. Only inside a send.
 */
export function submit(server: Server, envelope: Envelope, data: string | Uint8Array): Reply;
