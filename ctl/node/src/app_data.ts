// SPDX-License-Identifier: GPL-3.0-or-later
/** What an application keeps with an object. It stays in this process. */
export type AppData = { [key: string]: unknown };

type Only<T, U> = T & { [K in keyof U]?: never };
/** The fields of one or of the other, not of both. */
export type Either<T, U> = Only<T, U> | Only<U, T>;
