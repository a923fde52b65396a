-- Sends the requests of a file, each as it is, one after the other; begins anew at the end.
-- BENCH_REQUESTS   the file: whole HTTP requests, each followed by a NUL
-- BENCH_THREADS    threads of wrk; each takes its own share, so that no two send the same
-- BENCH_DELAY_MS   mean pause between an answer and the next request of the same connection; 0: none
-- Prints what it saw as one line of JSON.

local threads = tonumber(os.getenv("BENCH_THREADS"))
local delay_ms = tonumber(os.getenv("BENCH_DELAY_MS"))
local begun = 0

function setup(thread)
   thread:set("number", begun)
   begun = begun + 1
end

function init()
   local file = assert(io.open(os.getenv("BENCH_REQUESTS"), "rb"))
   local index = 0
   requests, sent = {}, 0
   for request in file:read("*a"):gmatch("[^%z]+") do
      if index % threads == number then
         requests[#requests + 1] = request
      end
      index = index + 1
   end
   file:close()
   math.randomseed(number + 1)
end

function request()
   sent = sent % #requests + 1
   return requests[sent]
end

-- wrk has no rate limit. Pauses of random length, twice the mean at most, keep connections out of step.
if delay_ms > 0 then
   function delay()
      return math.floor(math.random() * 2 * delay_ms + 0.5)
   end
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "seconds": %.6f, "failed": %d, "mean_ms": %.4f, "p50_ms": %.4f, "p99_ms": %.4f, "max_ms": %.4f}\n',
      summary.requests,
      summary.duration / 1e6,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency.mean / 1e3,
      latency:percentile(50) / 1e3,
      latency:percentile(99) / 1e3,
      latency.max / 1e3
   ))
end
