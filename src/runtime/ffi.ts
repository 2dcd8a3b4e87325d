/**
 * Calls into shared libraries, alike on Bun (`bun:ffi`) and on Deno (`Deno.dlopen`).
 *
 * Pointers are plain numbers on both, so that they can be handed to other threads: addresses of
 * user space fit 53 bits. 0 is NULL. This file is the only one that knows the runtimes' own calls.
 */
import process from "node:process";

/**
 * A C function: what it returns, then what it takes.
 *
 * | type    | C                                        | TypeScript                          |
 * | ------- | ---------------------------------------- | ----------------------------------- |
 * | int     | int                                      | number                              |
 * | size    | size_t, (unsigned) long; below 2^53      | number                              |
 * | pointer | any pointer                              | number                              |
 * | buffer  | a pointer into memory that JS owns       | Uint8Array, BigUint64Array, or null |
 *
 * A buffer is the library's only until the call returns. `size` assumes 64-bit longs (not Windows).
 */
export type FunctionType = readonly [result: ResultType, ...parameters: ParameterType[]];
export type ParameterType = "int" | "size" | "pointer" | "buffer";
export type ResultType = "void" | "int" | "size" | "pointer";

/** Functions by their exported names. */
export type SymbolTable = Readonly<Record<string, FunctionType>>;

/** A symbol table, callable. */
export type Functions<Table extends SymbolTable> = {
  readonly [Name in keyof Table]: Callable<Table[Name]>;
};

/**
 * Loads a shared library for the life of the process.
 *
 * @param path absolute: bare names are looked up in the current directory on Bun
 * @throws Error of the runtime, for a library that cannot be loaded or lacks a symbol; on Deno also
 *   without `--allow-ffi`
 */
export function openLibrary<Table extends SymbolTable>(
  path: string,
  table: Table,
): Functions<Table> {
  return BACKEND.open(path, table) as Functions<Table>;
}

/** A copy of `lengthBytes` bytes of memory. The caller knows that they are there. */
export function readMemory(pointer: number, lengthBytes: number): Uint8Array {
  return lengthBytes === 0 ? new Uint8Array(0) : BACKEND.read(pointer, lengthBytes);
}

/** The text at a pointer up to its terminating zero, as UTF-8. */
export function readCString(pointer: number): string {
  return BACKEND.cString(pointer);
}

type Callable<Type extends FunctionType> = Type extends
  readonly [infer Result extends ResultType, ...infer Parameters extends readonly ParameterType[]]
  ? (...args: ArgumentsOf<Parameters>) => ResultOf<Result>
  : never;

type ArgumentsOf<Parameters extends readonly ParameterType[]> = {
  -readonly [Index in keyof Parameters]: Parameters[Index] extends "buffer" ? NativeBuffer
    : number;
};

type ResultOf<Result extends ResultType> = Result extends "void" ? void : number;

export type NativeBuffer = Uint8Array | BigUint64Array | null;

interface Backend {
  open(path: string, table: SymbolTable): unknown;
  read(pointer: number, lengthBytes: number): Uint8Array;
  cString(pointer: number): string;
}

const BACKEND: Backend = process.versions.bun === undefined ? denoBackend() : bunBackend();

// deno-lint-ignore no-explicit-any
type Untyped = any;

/**
 * `u64_fast` gives a number where it fits one, and 0 for NULL. The module is asked for by name at
 * run time, so that Deno never resolves it.
 */
function bunBackend(): Backend {
  const names = { void: "void", int: "i32", size: "u64_fast", pointer: "u64_fast", buffer: "ptr" };
  const ffi: Untyped = (process as Untyped).getBuiltinModule("bun:ffi");
  return {
    open(path, table) {
      const symbols = mapValues(table, ([result, ...parameters]) => ({
        returns: names[result],
        args: parameters.map((name) => names[name]),
      }));
      return ffi.dlopen(path, symbols).symbols;
    },
    read: (pointer, length) => new Uint8Array(ffi.toArrayBuffer(pointer, 0, length)).slice(),
    cString: (pointer) => new ffi.CString(pointer).toString(),
  };
}

/** A 64-bit result is a BigInt on Deno. */
function denoBackend(): Backend {
  const names = { void: "void", int: "i32", size: "usize", pointer: "usize", buffer: "buffer" };
  const { Deno }: Untyped = globalThis;
  const view = (pointer: number) =>
    new Deno.UnsafePointerView(Deno.UnsafePointer.create(BigInt(pointer)));
  return {
    open(path, table) {
      const symbols = mapValues(table, ([result, ...parameters]) => ({
        result: names[result],
        parameters: parameters.map((name) => names[name]),
      }));
      const loaded = Deno.dlopen(path, symbols).symbols;
      return mapValues(table, ([result], name) => {
        const call = loaded[name];
        if (result === "int" || result === "void") return call;
        return (...args: unknown[]) => Number(call(...args));
      });
    },
    read(pointer, length) {
      const bytes = new Uint8Array(length);
      view(pointer).copyInto(bytes);
      return bytes;
    },
    cString: (pointer) => view(pointer).getCString(),
  };
}

function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value, name: string) => Result,
): Record<string, Result> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, map(value, name)]),
  );
}
