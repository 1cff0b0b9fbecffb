// SPDX-License-Identifier: GPL-3.0-or-later
export type ScalabilityMode = { spatialLayers: number; temporalLayers: number; ksvc: boolean };

/** `L3T2_KEY`: three spatial layers, two temporal ones. What is no mode counts as L1T1. */
export function parseScalabilityMode(scalabilityMode?: string): ScalabilityMode {
  const match = /^[LS]([1-9]\d?)T([1-9]\d?)(_KEY)?/.exec(scalabilityMode ?? '');
  return {
    spatialLayers: Number(match?.[1] ?? 1),
    temporalLayers: Number(match?.[2] ?? 1),
    ksvc: match?.[3] !== undefined,
  };
}
