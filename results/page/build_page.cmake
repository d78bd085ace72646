# npm ci, then build.mjs.  What fails leaves an empty page that is older than its sources, so that the next build
# tries again, and is no failure of the build.
#   cmake -DNODE= -DNPM= -DSOURCE= -DBINARY= -DOUTPUT= -DTESTS= -P build_page.cmake
cmake_minimum_required(VERSION 3.25)

function(give_up what log)
  file(WRITE ${OUTPUT} "")
  execute_process(COMMAND touch -d 1980-01-01 ${OUTPUT})
  message("warning: besom is built without the page of `besom report`: ${what} failed:\n${log}\n"
          "The next build tries again; to leave it out, configure with -DREPORT_PAGE=OFF.")
endfunction()

# Installed anew only when the lock file has changed.
set(npm ${BINARY}/npm)
file(SHA256 ${SOURCE}/package-lock.json wanted)
set(wanted "${wanted} ${TESTS}")
set(have "")
if(EXISTS ${npm}/installed)
  file(READ ${npm}/installed have)
endif()
if(NOT have STREQUAL wanted)
  file(MAKE_DIRECTORY ${npm})
  file(COPY ${SOURCE}/package.json ${SOURCE}/package-lock.json DESTINATION ${npm})
  set(omit "")
  if(NOT TESTS)
    set(omit --omit=dev) # the tests' browser driver
  endif()
  execute_process(
    COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries=1 --fetch-timeout=60000
            --loglevel=error ${omit}
    WORKING_DIRECTORY ${npm}
    RESULT_VARIABLE failed OUTPUT_VARIABLE log ERROR_VARIABLE log)
  if(failed)
    give_up("npm ci" "${log}")
    return()
  endif()
  file(WRITE ${npm}/installed "${wanted}")
endif()

execute_process(COMMAND ${NODE} ${SOURCE}/build.mjs ${SOURCE} ${npm} ${OUTPUT} RESULT_VARIABLE failed
                OUTPUT_VARIABLE log ERROR_VARIABLE log)
if(failed)
  message(FATAL_ERROR "build.mjs failed:\n${log}") # an error in our own sources
endif()
