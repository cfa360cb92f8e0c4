import com.gargoylesoftware.htmlunit.BrowserVersion;
import com.gargoylesoftware.htmlunit.ScriptException;
import com.gargoylesoftware.htmlunit.WebClient;
import com.gargoylesoftware.htmlunit.html.HtmlPage;
import com.gargoylesoftware.htmlunit.javascript.JavaScriptErrorListener;
import java.net.MalformedURLException;
import java.net.URL;

/** java Play.java BROWSER URL: shows a page in HtmlUnit as that browser (INTERNET_EXPLORER_6) until it is killed; says its errors. */
public class Play {
    public static void main(String[] arguments) throws Exception {
        java.util.logging.LogManager.getLogManager().reset();
        WebClient client = new WebClient((BrowserVersion) BrowserVersion.class.getField(arguments[0]).get(null));
        client.getOptions().setThrowExceptionOnScriptError(false);
        client.getOptions().setThrowExceptionOnFailingStatusCode(false);
        client.setJavaScriptErrorListener(new JavaScriptErrorListener() {
            public void scriptException(HtmlPage page, ScriptException error) {
                System.out.println(error.getMessage() + " in line " + error.getFailingLineNumber());
            }

            public void timeoutError(HtmlPage page, long allowed, long took) {
                System.out.println("a script took too long");
            }

            public void malformedScriptURL(HtmlPage page, String url, MalformedURLException error) {
                System.out.println(url);
            }

            public void loadScriptError(HtmlPage page, URL url, Exception error) {
                System.out.println(url + ": " + error);
            }
        });
        client.getPage(arguments[1]);
        Thread.sleep(60000);
        System.exit(0);
    }
}
