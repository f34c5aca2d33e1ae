/** Base64, wherever JavaScript runs. */

/** Where the JavaScript engine has it (ES2026). */
const { fromBase64 } = Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };

/** The bytes of a text that is base64 (RFC 4648 §4). Throws for what is none. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
