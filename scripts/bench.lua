-- wrk's side of scripts/bench: adds of addresses that are all different (MODE=add), or lookups (MODE=get).
-- FIRST is the first octet of thread 0; each thread takes an octet of its own, and walks through it in no order.
local mode, credentials = os.getenv("MODE"), os.getenv("CREDENTIALS")
local threads = 0
-- Lookups go round these, which the last run of adds has listed.
local LOOKED_UP = 500

function setup(thread)
    thread:set("octet", tonumber(os.getenv("FIRST")) + threads)
    threads = threads + 1
end

function init()
    -- wrk asks thread 0 for a first request that it never sends: lookups leave that address out.
    count = mode == "add" and 0 or 1
    headers = { ["Authorization"] = "Basic " .. credentials, ["Content-Type"] = "application/json" }
end

function request()
    local n = (count * 7919 + 1) % 16777216
    count = mode == "add" and count + 1 or count % LOOKED_UP + 1
    local address = string.format("%d.%d.%d.%d", octet, math.floor(n / 65536), math.floor(n / 256) % 256, n % 256)
    if mode == "add" then
        return wrk.format("POST", "/ip/add", headers, '{"ip":"' .. address .. '","comment":"bench"}')
    end
    return wrk.format("GET", "/ip/" .. address, headers)
end

-- One line for the script: requests a second, median and 99th percentile in ms, answers that were errors.
function done(summary, latency)
    local errors = summary.errors.status + summary.errors.connect + summary.errors.read
        + summary.errors.write + summary.errors.timeout
    print(string.format("RESULT %.0f %.2f %.2f %d", summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, errors))
end
