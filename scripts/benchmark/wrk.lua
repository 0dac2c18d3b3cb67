-- wrk's side of scripts/bench. MODE says what is asked for: `add` or `etcd` (values that are all different), `get` (entries
-- that are listed) or `path` (the same PATH). FIRST is the first octet of thread 0, of which COUNT addresses are listed;
-- when it adds, each thread takes an octet of its own. AUTHORIZATION and IF_NONE_MATCH are headers.
local mode, path = os.getenv("MODE"), os.getenv("PATH_TO_GET")
local listed = tonumber(os.getenv("COUNT") or "1")
local threads = 0
-- Different entries that a thread asks for.
local ASKED = 16384

-- The address with this number; src/bin/load counts in the same way.
local function address(which)
    local n = (which * 7919 + 1) % 16777216
    return string.format("%d.%d.%d.%d", octet, math.floor(n / 65536), math.floor(n / 256) % 256, n % 256)
end

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init()
    octet = tonumber(os.getenv("FIRST") or "0") + (mode == "add" and number or 0)
    count = number * 4801
    headers = { ["Content-Type"] = "application/json" }
    headers["Authorization"] = os.getenv("AUTHORIZATION")
    headers["X-Api-Key"] = os.getenv("API_KEY")
    headers["If-None-Match"] = os.getenv("IF_NONE_MATCH")
    same = mode == "path" and wrk.format("GET", path, headers)
    if mode == "get" then
        -- Made before the clock runs, and asked for in turn: to make them would cost more than to answer them.
        asked = {}
        for turn = 1, math.min(ASKED, listed) do
            asked[turn] = wrk.format("GET", path .. address((count + turn) * 6361 % listed), headers)
        end
    end
end

function request()
    if same then return same end
    count = count + 1
    if mode == "add" then
        return wrk.format("POST", "/ip/add", headers, '{"ip":"' .. address(count) .. '","comment":"bench"}')
    end
    if mode == "etcd" then
        -- Twelve digits are base64 as they are.
        local body = string.format('{"key":"%d%011d","value":"benchbench=="}', number, count)
        return wrk.format("POST", "/v3/kv/put", headers, body)
    end
    return asked[count % #asked + 1]
end

-- One line of JSON for the driver: times in ms, bytes a second.
function done(summary, latency)
    local errors = summary.errors.status + summary.errors.connect + summary.errors.read
        + summary.errors.write + summary.errors.timeout
    local seconds = summary.duration / 1e6
    print(string.format('RESULT {"rate":%.1f,"p50_ms":%.3f,"p99_ms":%.3f,"bytes_a_second":%.0f,"errors":%d}',
        summary.requests / seconds, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
        summary.bytes / seconds, errors))
end
