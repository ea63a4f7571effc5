/* pgmatrix's SQL-language uuid-ossp: names, arguments, volatility, strictness and parallel labels of
   contrib's uuid-ossp 1.1, for servers that were built without contrib and without a UUID library.

   Relocatable: no function calls another one of this extension. The SQL functions have standard bodies,
   which are bound to pg_catalog's objects when they are created, and the PL/pgSQL one fixes its own
   search_path, so neither a caller's search_path nor a restricted one (indexes, materialised views)
   changes a result. */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use '''CREATE EXTENSION "uuid-ossp"''' to load this file. \quit

CREATE FUNCTION uuid_nil()
RETURNS uuid
IMMUTABLE STRICT LANGUAGE SQL PARALLEL SAFE
RETURN '00000000-0000-0000-0000-000000000000'::uuid;

-- The four name spaces of RFC 9562, section 6.6 (RFC 4122, appendix C).
CREATE FUNCTION uuid_ns_dns()
RETURNS uuid
IMMUTABLE STRICT LANGUAGE SQL PARALLEL SAFE
RETURN '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_ns_url()
RETURNS uuid
IMMUTABLE STRICT LANGUAGE SQL PARALLEL SAFE
RETURN '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_ns_oid()
RETURNS uuid
IMMUTABLE STRICT LANGUAGE SQL PARALLEL SAFE
RETURN '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid;

CREATE FUNCTION uuid_ns_x500()
RETURNS uuid
IMMUTABLE STRICT LANGUAGE SQL PARALLEL SAFE
RETURN '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid;

/* Version 1: 60 bits of time (100 ns ticks since 1582-10-15; 122192928000000000 of them before 1970),
   a clock sequence and a node. SQL sees no network card, so the node of v1 is random like that of v1mc,
   with the multicast bit set, which no card has (RFC 9562, section 6.10). Nothing is kept between calls
   either, so the clock sequence is random too: the second half of a version 4 UUID already is a variant,
   14 bits of sequence and a node. The server's clock counts microseconds, so ticks are multiples of ten. */
CREATE FUNCTION uuid_generate_v1()
RETURNS uuid
VOLATILE STRICT LANGUAGE SQL PARALLEL SAFE
RETURN (
    SELECT (right(ticks, 8) || substr(ticks, 4, 4) || '1' || left(ticks, 3)
            || encode(set_byte(random, 2, get_byte(random, 2) | 1), 'hex'))::uuid
    FROM (SELECT lpad(to_hex((extract(epoch FROM clock_timestamp()) * 10000000)::bigint
                             + 122192928000000000), 15, '0') AS ticks,
                 substr(uuid_send(gen_random_uuid()), 9) AS random) AS parts
);

CREATE FUNCTION uuid_generate_v1mc()
RETURNS uuid
VOLATILE STRICT LANGUAGE SQL PARALLEL SAFE
RETURN (
    SELECT (right(ticks, 8) || substr(ticks, 4, 4) || '1' || left(ticks, 3)
            || encode(set_byte(random, 2, get_byte(random, 2) | 1), 'hex'))::uuid
    FROM (SELECT lpad(to_hex((extract(epoch FROM clock_timestamp()) * 10000000)::bigint
                             + 122192928000000000), 15, '0') AS ticks,
                 substr(uuid_send(gen_random_uuid()), 9) AS random) AS parts
);

-- OFFSET 0 keeps the digest from being computed once for each place that reads it.
CREATE FUNCTION uuid_generate_v3(namespace uuid, name text)
RETURNS uuid
IMMUTABLE STRICT LANGUAGE SQL PARALLEL SAFE
RETURN (
    SELECT overlay(overlay(digest PLACING '3' FROM 13)
                   PLACING translate(substr(digest, 17, 1), '0123456789abcdef', '89ab89ab89ab89ab')
                   FROM 17)::uuid
    FROM (SELECT md5(uuid_send(namespace) || convert_to(name, 'UTF8')) AS digest OFFSET 0) AS hashed
);

CREATE FUNCTION uuid_generate_v4()
RETURNS uuid
VOLATILE STRICT LANGUAGE SQL PARALLEL SAFE
RETURN gen_random_uuid();

/* Version 5 needs SHA-1, which PostgreSQL has inside but offers to no SQL: FIPS 180-4, section 6.1.2,
   on bigints that hold 32 bits each. Five rounds are written out, so that the five working variables
   change roles by name instead of being copied. */
CREATE FUNCTION uuid_generate_v5(namespace uuid, name text)
RETURNS uuid
IMMUTABLE STRICT LANGUAGE plpgsql PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    mask CONSTANT bigint := 4294967295;
    octets bytea := uuid_send(namespace) || convert_to(name, 'UTF8');
    size CONSTANT bigint := length(octets);
    word bigint;
    w bigint[] := array_fill(0::bigint, ARRAY[80], ARRAY[0]);
    h0 bigint := 1732584193;  -- 67452301
    h1 bigint := 4023233417;  -- efcdab89
    h2 bigint := 2562383102;  -- 98badcfe
    h3 bigint := 271733878;   -- 10325476
    h4 bigint := 3285377520;  -- c3d2e1f0
    a bigint; b bigint; c bigint; d bigint; e bigint;
    digest text;
BEGIN
    octets := octets || '\x80'::bytea || decode(repeat('00', ((119 - size % 64) % 64)::integer), 'hex')
              || int8send(size * 8);
    FOR block IN 0 .. length(octets) - 64 BY 64 LOOP
        FOR t IN 0 .. 15 LOOP
            w[t] := (get_byte(octets, block + 4 * t)::bigint << 24)
                    | (get_byte(octets, block + 4 * t + 1) << 16)
                    | (get_byte(octets, block + 4 * t + 2) << 8)
                    | get_byte(octets, block + 4 * t + 3);
        END LOOP;
        FOR t IN 16 .. 79 LOOP
            word := w[t - 3] # w[t - 8] # w[t - 14] # w[t - 16];
            w[t] := ((word << 1) & mask) | (word >> 31);
        END LOOP;
        a := h0; b := h1; c := h2; d := h3; e := h4;
        FOR t IN 0 .. 19 BY 5 LOOP  -- Ch; 5a827999
            e := (((a << 5) | (a >> 27)) + (d # (b & (c # d))) + e + 1518500249 + w[t]) & mask;
            b := ((b << 30) & mask) | (b >> 2);
            d := (((e << 5) | (e >> 27)) + (c # (a & (b # c))) + d + 1518500249 + w[t + 1]) & mask;
            a := ((a << 30) & mask) | (a >> 2);
            c := (((d << 5) | (d >> 27)) + (b # (e & (a # b))) + c + 1518500249 + w[t + 2]) & mask;
            e := ((e << 30) & mask) | (e >> 2);
            b := (((c << 5) | (c >> 27)) + (a # (d & (e # a))) + b + 1518500249 + w[t + 3]) & mask;
            d := ((d << 30) & mask) | (d >> 2);
            a := (((b << 5) | (b >> 27)) + (e # (c & (d # e))) + a + 1518500249 + w[t + 4]) & mask;
            c := ((c << 30) & mask) | (c >> 2);
        END LOOP;
        FOR t IN 20 .. 39 BY 5 LOOP  -- Parity; 6ed9eba1
            e := (((a << 5) | (a >> 27)) + (b # c # d) + e + 1859775393 + w[t]) & mask;
            b := ((b << 30) & mask) | (b >> 2);
            d := (((e << 5) | (e >> 27)) + (a # b # c) + d + 1859775393 + w[t + 1]) & mask;
            a := ((a << 30) & mask) | (a >> 2);
            c := (((d << 5) | (d >> 27)) + (e # a # b) + c + 1859775393 + w[t + 2]) & mask;
            e := ((e << 30) & mask) | (e >> 2);
            b := (((c << 5) | (c >> 27)) + (d # e # a) + b + 1859775393 + w[t + 3]) & mask;
            d := ((d << 30) & mask) | (d >> 2);
            a := (((b << 5) | (b >> 27)) + (c # d # e) + a + 1859775393 + w[t + 4]) & mask;
            c := ((c << 30) & mask) | (c >> 2);
        END LOOP;
        FOR t IN 40 .. 59 BY 5 LOOP  -- Maj; 8f1bbcdc
            e := (((a << 5) | (a >> 27)) + ((b & c) | (d & (b | c))) + e + 2400959708 + w[t]) & mask;
            b := ((b << 30) & mask) | (b >> 2);
            d := (((e << 5) | (e >> 27)) + ((a & b) | (c & (a | b))) + d + 2400959708 + w[t + 1]) & mask;
            a := ((a << 30) & mask) | (a >> 2);
            c := (((d << 5) | (d >> 27)) + ((e & a) | (b & (e | a))) + c + 2400959708 + w[t + 2]) & mask;
            e := ((e << 30) & mask) | (e >> 2);
            b := (((c << 5) | (c >> 27)) + ((d & e) | (a & (d | e))) + b + 2400959708 + w[t + 3]) & mask;
            d := ((d << 30) & mask) | (d >> 2);
            a := (((b << 5) | (b >> 27)) + ((c & d) | (e & (c | d))) + a + 2400959708 + w[t + 4]) & mask;
            c := ((c << 30) & mask) | (c >> 2);
        END LOOP;
        FOR t IN 60 .. 79 BY 5 LOOP  -- Parity; ca62c1d6
            e := (((a << 5) | (a >> 27)) + (b # c # d) + e + 3395469782 + w[t]) & mask;
            b := ((b << 30) & mask) | (b >> 2);
            d := (((e << 5) | (e >> 27)) + (a # b # c) + d + 3395469782 + w[t + 1]) & mask;
            a := ((a << 30) & mask) | (a >> 2);
            c := (((d << 5) | (d >> 27)) + (e # a # b) + c + 3395469782 + w[t + 2]) & mask;
            e := ((e << 30) & mask) | (e >> 2);
            b := (((c << 5) | (c >> 27)) + (d # e # a) + b + 3395469782 + w[t + 3]) & mask;
            d := ((d << 30) & mask) | (d >> 2);
            a := (((b << 5) | (b >> 27)) + (c # d # e) + a + 3395469782 + w[t + 4]) & mask;
            c := ((c << 30) & mask) | (c >> 2);
        END LOOP;
        h0 := (h0 + a) & mask;
        h1 := (h1 + b) & mask;
        h2 := (h2 + c) & mask;
        h3 := (h3 + d) & mask;
        h4 := (h4 + e) & mask;
    END LOOP;
    -- The first 128 bits, with the version's and the variant's bits put in.
    digest := lpad(to_hex(h0), 8, '0') || lpad(to_hex((h1 & 4294905855) | 20480), 8, '0')
              || lpad(to_hex((h2 & 1073741823) | 2147483648), 8, '0') || lpad(to_hex(h3), 8, '0');
    RETURN digest::uuid;
END
$$;
