/** What we use of the optional package `i2c-bus` 5, which brings no types of its own. */
declare module "i2c-bus" {
  export function openPromisified(busNumber: number): Promise<{
    i2cRead(address: number, length: number, buffer: Buffer): Promise<{ readonly bytesRead: number }>;
    i2cWrite(address: number, length: number, buffer: Buffer): Promise<{ readonly bytesWritten: number }>;
    close(): Promise<void>;
  }>;
}
