-- Posts callbacks prepared by prepare.py, each once: a line is `nonce <TAB> signature <TAB> message id`.
--   wrk -t1 -c256 -d10s -s signed.lua URL -- FILE SKIP
-- SKIP is how many lines earlier runs have used up. At the end of the file it starts over.
local lines, at = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do lines[#lines + 1] = line end
  at = tonumber(arguments[2] or "0")
end

local head = {
  ["Content-Type"] = "application/x-www-form-urlencoded",
  ["User-Agent"] = "Plivo",
  ["Accept"] = "*/*",
}

function request()
  local nonce, signature, id = lines[at % #lines + 1]:match("([^\t]*)\t([^\t]*)\t([^\t]*)")
  at = at + 1
  head["X-Plivo-Signature-V2"] = signature
  head["X-Plivo-Signature-Ma-V2"] = signature
  head["X-Plivo-Signature-V2-Nonce"] = nonce
  return wrk.format("POST", nil, head, "Status=delivered&From=13342031111&ParentMessageUUID=" .. id ..
    "&TotalRate=0.0025&MCC=405&PartInfo=1+of+1&ErrorCode=&To=918553651111&Units=1&TotalAmount=0.0025&MNC=803" ..
    "&MessageUUID=" .. id)
end

-- One line for whoever reads it: requests, seconds, non-2xx, socket errors, p50, p99, max in ms.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("result %d %.3f %d %d %.3f %.3f %.3f\n", summary.requests, summary.duration / 1e6,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
