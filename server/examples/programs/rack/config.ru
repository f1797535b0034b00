# A Rack application under puma; config/puma.rb takes the port from PORT.
#
#   heapbeat run --limit 256MB -- puma

KEPT = [] # What /leak keeps for ever.

# An event every 100 ms, and one that says that the stream is complete.
class Events
  def initialize(seconds)
    @seconds = seconds
  end

  def each
    (@seconds * 10).downto(1) do |left|
      yield "data: #{left}\n\n"
      sleep 0.1
    end
    yield "data: end\n\n"
  end
end

run lambda { |env|
  query = env["QUERY_STRING"].split("&").to_h { |pair| pair.split("=", 2) }
  number = ->(name, otherwise) { Integer(query.fetch(name, otherwise), 10) }
  json = { "content-type" => "application/json" }
  case env["PATH_INFO"]
  when "/"
    [200, json, [%({"hello":"world","pid":#{Process.pid}})]]
  when "/leak"
    KEPT << "x" * (number.("kb", "100") * 1024)
    [200, json, [%({"kept":#{KEPT.size}})]]
  when "/slow"
    sleep number.("ms", "200") / 1000.0
    [200, json, [%({"slow":true})]]
  when "/stream"
    [200, { "content-type" => "text/event-stream" }, Events.new(number.("seconds", "5"))]
  else
    [404, json, ["{}"]]
  end
}
