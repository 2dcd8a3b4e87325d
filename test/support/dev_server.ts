import { after, before } from "node:test";
import { RunningServer } from "./running_server.ts";
import { LOCAL } from "./serve_fixture.ts";
import { makeTempDir, type TempDir } from "./temp_dir.ts";

/** `serve --dev` of the executable, and the directory that it runs in: for all tests of a file. */
export class DevServer {
  directory!: TempDir;
  server!: RunningServer;

  /** To be called once, outside of any suite: it adds hooks to the file. */
  static forFile(): DevServer {
    const dev = new DevServer();
    before(async () => {
      dev.directory = makeTempDir();
      dev.server = await DevServer.start(dev.directory);
    }, { timeout: START_MS });
    after(async () => {
      await dev.server?.kill();
      dev.directory.remove();
    });
    return dev;
  }

  /** Another one in that directory, the caller's to end. */
  static start(directory: TempDir): Promise<RunningServer> {
    return RunningServer.start(["--dev", ...LOCAL], { cwd: directory.path });
  }
}

const START_MS = 60_000;
