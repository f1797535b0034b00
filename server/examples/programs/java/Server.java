// A server of the JDK alone, without a handler for SIGTERM. Java starts it from its source; `jar` makes server.jar of it.
//
//   heapbeat run --limit 512MB -- java Server.java
//   heapbeat run --limit 512MB -- java -jar server.jar

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Executors;

public class Server {
    /** What /leak keeps for ever. */
    private static final List<byte[]> KEPT = Collections.synchronizedList(new ArrayList<>());

    private static final String HELLO = "{\"hello\":\"world\",\"pid\":" + ProcessHandle.current().pid() + "}";

    public static void main(String[] arguments) throws IOException {
        int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "3000"));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 128);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", exchange -> answer(exchange, HELLO));
        server.createContext("/leak", exchange -> {
            byte[] memory = new byte[number(exchange, "kb", 100) * 1024];
            Arrays.fill(memory, (byte) 'x');
            KEPT.add(memory);
            answer(exchange, "{\"kept\":" + KEPT.size() + "}");
        });
        server.createContext("/slow", exchange -> {
            pause(number(exchange, "ms", 200));
            answer(exchange, "{\"slow\":true}");
        });
        // Server-sent events: one every 100 ms, and one that says that the stream is complete.
        server.createContext("/stream", exchange -> {
            exchange.getResponseHeaders().set("Content-Type", "text/event-stream");
            exchange.sendResponseHeaders(200, 0);
            try (OutputStream body = exchange.getResponseBody()) {
                for (int left = number(exchange, "seconds", 5) * 10; left > 0; left--) {
                    body.write(("data: " + left + "\n\n").getBytes(StandardCharsets.UTF_8));
                    body.flush();
                    pause(100);
                }
                body.write("data: end\n\n".getBytes(StandardCharsets.UTF_8));
            }
        });
        server.start();
    }

    private static void answer(HttpExchange exchange, String json) throws IOException {
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(200, body.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(body);
        }
    }

    /** Reads a number from the query, such as kb=100. */
    private static int number(HttpExchange exchange, String name, int otherwise) {
        String query = exchange.getRequestURI().getQuery();
        if (query != null) {
            for (String pair : query.split("&")) {
                if (pair.startsWith(name + "=")) return Integer.parseInt(pair.substring(name.length() + 1));
            }
        }
        return otherwise;
    }

    private static void pause(int milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
