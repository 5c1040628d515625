/** The worked traces of the chip reference (§8), as data. */

export const woken = "04 11 33 43";
export const success = "04 00 03 40";
/** SHA-256("sample"). */
export const digest = "AF2BDBE1AA9B6EC1E2ADE1D694F41FC71A831D0268E9891562113D8A62ADD1BF";
export const config0 =
  "23 01 23 7A 1B 00 00 60 03 4D 2E 3C 91 EE 01 01 00 C0 00 00 00 85 00 82 00 85 20 85 20 85 20 8F 8F 71 C3";
export const readConfig0 = "03 07 02 80 00 00 09 AD";
export const nonce43 = `03 27 16 43 00 00 ${spaced(digest)} 73 15`;
export const nonce03 = `03 27 16 03 00 00 ${spaced(digest)} A0 97`;
/** RFC 6979 A.2.5, message "sample". */
export const signature =
  "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
export const signatureAnswer = `43 ${spaced(signature)} 77 5A`;
export const publicKey =
  "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
export const publicKeyAnswer = `43 ${spaced(publicKey)} 31 3B`;
/** RFC 6979 A.2.5. */
export const privateKey = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";

export function spaced(hex: string): string {
  return hex.match(/../g)?.join(" ") ?? "";
}
