/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test/pem.h - certificates and keys of nobody, valid for a hundred years, made by OpenSSL for the
 * tests of net/certificate and of real DTLS peers. */
#ifndef SLUICE_TEST_PEM_H
#define SLUICE_TEST_PEM_H

__attribute__((unused)) static const char pem_ec_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdTCCARugAwIBAgIUNFG2zyXJVhbAZZDrp++Yf8+fXJ0wCgYIKoZIzj0EAwIw\n"
    "DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjcwNTU4MjZaGA8yMTI2MTEwMzA1NTgy\n"
    "NlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLJS\n"
    "SHRd4IbP/FsZ1MR2Sq9ZT1j4KOasyw9BsI13QMpf4WNH0wyr6pgtwjnY/NV92yMY\n"
    "MX1mcqFfwGLRw5caZoyjUzBRMB0GA1UdDgQWBBQ5CyozkdPLEGeNBsIpdNXBZdw3\n"
    "yTAfBgNVHSMEGDAWgBQ5CyozkdPLEGeNBsIpdNXBZdw3yTAPBgNVHRMBAf8EBTAD\n"
    "AQH/MAoGCCqGSM49BAMCA0gAMEUCIFwD0qJzrhzXZTN9KjlkkQnKApn7n3xUxscK\n"
    "q7qNq1bHAiEAmEppo67fJDrEv2+znDyYcBfti6Y+uSTRmpvE/clDDiQ=\n"
    "-----END CERTIFICATE-----\n";

__attribute__((unused)) static const char pem_ec_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCbKk4h1NRVNgo28n\n"
    "Q8LYCAclIVFX/w3Gf29lQE5Mb32hRANCAASyUkh0XeCGz/xbGdTEdkqvWU9Y+Cjm\n"
    "rMsPQbCNd0DKX+FjR9MMq+qYLcI52PzVfdsjGDF9ZnKhX8Bi0cOXGmaM\n"
    "-----END PRIVATE KEY-----\n";

__attribute__((unused)) static const char pem_ec_key_sec1[] =
    "-----BEGIN EC PARAMETERS-----\n"
    "BggqhkjOPQMBBw==\n"
    "-----END EC PARAMETERS-----\n"
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIAmypOIdTUVTYKNvJ0PC2AgHJSFRV/8Nxn9vZUBOTG99oAoGCCqGSM49\n"
    "AwEHoUQDQgAEslJIdF3ghs/8WxnUxHZKr1lPWPgo5qzLD0GwjXdAyl/hY0fTDKvq\n"
    "mC3COdj81X3bIxgxfWZyoV/AYtHDlxpmjA==\n"
    "-----END EC PRIVATE KEY-----\n";

__attribute__((unused)) static const char pem_ec_key_encrypted[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,FF9E847048AB962C2B4DFDCC0B30E1E1\n"
    "\n"
    "dYmaLFc3eLmlQAFV7lM4bADZFZWwdHRrakfhu14gTf1+qQfQ0nQN5EM5f25I7ZTK\n"
    "qL2XBTGTj5Y/ZpYz5odWwd//GurkYgl1nud4NWcVIdqfttX1YFngL3L3Hmhx765z\n"
    "eanERIpvMOsrikO9DuesIWT1RWnfNzY2Ys1JakcqHzk=\n"
    "-----END EC PRIVATE KEY-----\n";

__attribute__((unused)) static const char pem_p384_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBsjCCATigAwIBAgIUPG/uW89kLUMmgzKCxDoceqmcr3cwCgYIKoZIzj0EAwIw\n"
    "DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjcwNTU4MjdaGA8yMTI2MTEwMzA1NTgy\n"
    "N1owDzENMAsGA1UEAwwEdGVzdDB2MBAGByqGSM49AgEGBSuBBAAiA2IABKd5EBDu\n"
    "KEIq1ZrkMV1jSbMgRa9dJ2842Q2PJCobBfM1TyFEApkRgSe6V5qqoUaQln7GMx0p\n"
    "nHCPL6H1LVO48INe9n3qQjFOJHv/G7cgf8w6uB6f/vgtV6PlvxEo0828DqNTMFEw\n"
    "HQYDVR0OBBYEFPAwSjlOLQRIn6LhOqGD0HjZH7hsMB8GA1UdIwQYMBaAFPAwSjlO\n"
    "LQRIn6LhOqGD0HjZH7hsMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDaAAw\n"
    "ZQIxALuFMpgonPYab7MyF71U4f5K+4ezlGelxVVG9JB6+uy2yDp44FU5EWlOpPA9\n"
    "bsDDLgIwYJE8jHDlWkAqUDBjdxZS7ohGsFAa/8PM69BkVR/SWfGEAfOdpoEzMCB5\n"
    "9mFoNfZA\n"
    "-----END CERTIFICATE-----\n";

__attribute__((unused)) static const char pem_p384_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDCjyhz2UDSa2yU7vCGc\n"
    "ZujjnZfsKjXPPvExTnicoYF4qGC+KxgZPMayrjcjR2JE7bqhZANiAASneRAQ7ihC\n"
    "KtWa5DFdY0mzIEWvXSdvONkNjyQqGwXzNU8hRAKZEYEnuleaqqFGkJZ+xjMdKZxw\n"
    "jy+h9S1TuPCDXvZ96kIxTiR7/xu3IH/MOrgen/74LVej5b8RKNPNvA4=\n"
    "-----END PRIVATE KEY-----\n";

__attribute__((unused)) static const char pem_rsa_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIDATCCAemgAwIBAgIUR1pw7TonwAW+oOuvWyX6rlctQm0wDQYJKoZIhvcNAQEL\n"
    "BQAwDzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjcwNTU4MjdaGA8yMTI2MTEwMzA1\n"
    "NTgyN1owDzENMAsGA1UEAwwEdGVzdDCCASIwDQYJKoZIhvcNAQEBBQADggEPADCC\n"
    "AQoCggEBAO1spmhOcCmAKawhioKJomodSMGCer0jw1TUHaAVOvjsLFQVzulEBU/p\n"
    "h6a4f2Gy2eu2HzwMusF16zCGCu9TfkYE4Ej35DWODYuWhBjqRIh9xELysiuhiHpo\n"
    "c1CQ+INkYxEp7oKfc1uEf9FO64COHthGfHGUJbPnyyz7hXAQiUEJPhM5ki66FTkP\n"
    "8f9ZfsLM4Amwacoro5rx0iBsnIPnfHRgcHzJ7OKcW8yiQxVavI+IPqXIxsho1bAE\n"
    "kfMOeh2CwErRaAIiwlAlzBbyirL0bx1GBf6qW0+qG9p6Ex69L1I30EY21cNgnoED\n"
    "/7gVS6/XnYMcaT5jLv8g+wN9LGwjMVMCAwEAAaNTMFEwHQYDVR0OBBYEFF/hv95w\n"
    "rschxZJBaG9yLix8+1meMB8GA1UdIwQYMBaAFF/hv95wrschxZJBaG9yLix8+1me\n"
    "MA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADggEBAB+QvMC7/yIesmh8\n"
    "ruYKmIGT+16psfG5oZA1pq4BL/FUsQFUFkmvi4SAykTfuNeyw1c7TZgwFryEXsUu\n"
    "EE+rQJIem4zsVfQqrWGosDxIi18ngrSVtcx9XYh+k0/6uKl0/gQTmhZl0aWpzXEa\n"
    "pkXKSlSAfp/2td3el+uHQX1VTZ8Qk8sM92vjbjMHL2C1HsLL9sbIO9stpSvPnurF\n"
    "c1hut7r+Mqw9IOZPwJJTMIl76wGS0mTbZRVkJeJR01pgwJ22ltK7Y2mNDL+lGr7n\n"
    "AZY9YntSzWm0k9RbrXH9I0dtvwK+2oKm0CmS3vAaCYSFNnPYRBs+qSRe8hzzLGeJ\n"
    "3o6diyA=\n"
    "-----END CERTIFICATE-----\n";

__attribute__((unused)) static const char pem_rsa_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDtbKZoTnApgCms\n"
    "IYqCiaJqHUjBgnq9I8NU1B2gFTr47CxUFc7pRAVP6YemuH9hstnrth88DLrBdesw\n"
    "hgrvU35GBOBI9+Q1jg2LloQY6kSIfcRC8rIroYh6aHNQkPiDZGMRKe6Cn3NbhH/R\n"
    "TuuAjh7YRnxxlCWz58ss+4VwEIlBCT4TOZIuuhU5D/H/WX7CzOAJsGnKK6Oa8dIg\n"
    "bJyD53x0YHB8yezinFvMokMVWryPiD6lyMbIaNWwBJHzDnodgsBK0WgCIsJQJcwW\n"
    "8oqy9G8dRgX+qltPqhvaehMevS9SN9BGNtXDYJ6BA/+4FUuv152DHGk+Yy7/IPsD\n"
    "fSxsIzFTAgMBAAECggEAdhtx7npyllqAoHWw+v3vsvztWAIJ/7PeNAEu2ZcmFnUa\n"
    "GhwdKXIieF3SEtA94cKAYJ7hC9TDRIDd5e4QW3y72KYNUo8qUa/gMhvGi8RiIkn6\n"
    "C1nC4yyAgXAbSS1MysPx+jRTR1x9nL2dfehWA8XvNyRdPHz3gnbg3fgjKZu4Q4aZ\n"
    "sQe6tCui0GiJbrgdZ18Fynr+3DkQk0EB6wVaZC8hlhxPkgd6dfG7II3HcDGK32Uu\n"
    "1t211VH0nDlqt5uxo4hv/vKEPpInCQgQheYS/H90sE+of/tfoUSAZroHgJ8k2Knm\n"
    "1J76/V6KZLU4czT9LmNDl0VvpzYHghZEXCOaWWWu4QKBgQD6Cg15rI5xf1RKCLOA\n"
    "E8j05ymh6DRB1twTn59xRlr7HLCiYuX4FBbaFG0MS48uLUBojctg33nPD14PjlUG\n"
    "sz3RYMxHg6I4+fdrbZ8ttgn30tMA580VeK64IoV5kez1xi2KCbHA7AmGHhQUVSQc\n"
    "vd6du3CCVTgjJNK4gtr/Xn+jcwKBgQDzFZxvKxiyHVyMkYBUcZks9iV6ogtiL/7y\n"
    "gWNj0hKoTeJCXnMJ8ix/zCNTiT6g74l3/35vXCpW67wfoDL+BRwx3VabGM51e/1b\n"
    "yg/AROo8npjIluMOIz5Tc1Z7alAN46K4jCsQhweRad61rzuK5NMBZrW41fCrerZd\n"
    "BlIl+m+CoQKBgDA2kgSdNlZCRCGGbf5LUluO22NB4Bm18XfDNr5j35U+If0d7tQY\n"
    "I5PnjmNpinFP/nRqqwXB8b3wa6W6P0DsfQYLkThU9IniAUhwudnZmTB1MYSiLdRv\n"
    "EdmlpnEbp0J49T0Bw4m8udVnpV2KUU1Ne0iU5QvsnMeCCTPU35+QPDJrAoGBAMUX\n"
    "Y6QbLEXWWqC6pHNTO9/hn9fDpTkyMyNK11wrCuedZnNrgxiwW3Yu/QGRSM9SCILc\n"
    "DBacgtPBBOIbkNy3JfokPUE5psRJCM6wkX7SIZ2O9c/Fz0k6OCGPZbJhK5FnXRsG\n"
    "wy/+W5uCXImxD7T4/UCol3TLOfy/XTclldunJ1yhAoGBAKP83B9GUJhh6o+tI4gq\n"
    "jm+OJoEKG4LNe9c+gN7JvIGVXeCMmqNok0EeEwviDla0bGf+USyOLmHSc1TBV8yv\n"
    "8atUeoIHx/H0i8bmpvdlPFnjG+gSfkknhqIzuaL3l16u/gPay+2YB2FTg8wacmUs\n"
    "nUgLAK2+FegX5d+3cEfPj/BF\n"
    "-----END PRIVATE KEY-----\n";

/* Of pem_ec_certificate, by enum fingerprint_hash. */
__attribute__((unused)) static const char *const pem_ec_fingerprints[] = {
    "",
    "AD:F5:A0:6E:F8:A1:BE:92:F1:6E:16:43:45:65:AC:2B:75:3A:37:29",
    "C3:49:83:C4:14:A5:E7:A0:E2:57:3E:E9:7D:4C:E1:14:AB:1C:91:24:69:09:7D:43:36:44:51:4A",
    "53:B0:1F:61:AF:88:24:06:4F:02:85:EE:D0:E7:2B:06:7A:02:42:32:7B:D4:14:94:5B:EF:C3:76:DB:7C:"
    "C7:54",
    "60:78:C4:97:64:59:3E:9B:6C:F0:47:01:80:FF:41:D5:7F:EF:3B:57:B7:A0:0A:73:7F:0F:C7:59:46:81:"
    "DD:F4:9F:0A:39:52:90:0A:EF:60:4D:41:6F:F1:B3:1F:EA:3A",
    "4D:59:DB:FC:44:2D:EA:D6:99:0F:87:36:B9:83:05:68:F9:7A:AB:C8:71:27:AF:DB:7B:33:D4:B4:B4:F3:"
    "CB:CA:40:B0:7A:F4:98:E5:57:0C:19:92:22:60:FD:9B:E9:22:E2:65:D4:86:13:D8:33:DC:E9:EF:B2:E9:"
    "98:68:95:FE",
};

#endif
